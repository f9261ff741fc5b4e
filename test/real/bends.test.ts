import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureGitea } from '../../scripts/real-gitea.js';
import { taskIdOf, type CommitSha, type RepoSlug, type TaskId, type TaskRow } from '../../src/core/model/index.ts';
import { writeAgentScript } from '../../src/sandbox/agent/script.ts';
import { startPlane, type SandboxPlane } from '../../src/sandbox/plane/server.ts';
import type { PlaneUser, Project, WorkItem } from '../../src/sandbox/plane/state.ts';
import { builtProgram } from '../support/build.ts';
import { drive, type Driver } from '../support/line.ts';
import { startRealGitea, type RealGitea } from '../support/real-gitea.ts';
import { realPart } from '../support/real-part.ts';

const built = await ensureGitea();
const missing = 'missing' in built ? built.missing : null;

realPart('bends of the line on a real Gitea', missing, () => {
  let folder: string;
  let gitea: RealGitea;
  let repo: RepoSlug;
  let guarded: RepoSlug;
  let plane: SandboxPlane;
  let project: Project;
  let guardedProject: Project;
  let lead: PlaneUser;
  let driver: Driver;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'orch-bends-'));
    const started = await startRealGitea();
    if ('missing' in started) throw new Error(started.missing);
    gitea = started;
    repo = (await gitea.createRepo('shop', { 'README.md': '# Shop\n', 'src/totals.txt': 'one\ntwo\nthree\n' })).slug;
    guarded = (await gitea.createRepo('guarded', { 'README.md': '# Guarded\n' })).slug;
    plane = await startPlane({ rateLimitPerMinute: 6000, workerDelayMs: 5 });
    const bot = plane.addUser({ email: 'orch@example.org', displayName: 'orch' });
    lead = plane.addUser({ email: 'lead@example.org', displayName: 'Lead' });
    const states = ['In Review', 'Needs Input', 'Blocked'].map((name) => ({ name, group: 'started' as const }));
    project = plane.addProject({ identifier: 'ET', name: 'Shop', states }, lead);
    guardedProject = plane.addProject({ identifier: 'GU', name: 'Guarded', states }, lead);
    const script = writeAgentScript(path.join(folder, 'script'), {
      roles: {
        // The second item's developer meets a change of the same line on main and merges it in.
        developer: [
          { files: { 'src/totals.txt': 'one\nTWO by {{task}}, call {{n}}\nthree\n' } },
          { act: 'work', merge: 'origin/main' },
        ],
      },
    });
    driver = await drive(
      folder,
      {
        plane: { url: plane.url, workspace: plane.state.workspace.slug },
        gitea: { url: gitea.url, reviewer: true },
        stateDir: path.join(folder, 'state'),
        poll: { planeRequestsPerMinute: 6000 },
        agent: {
          command: [process.execPath, builtProgram('src/sandbox/agent/scripted-agent.ts'), '--agent-script', script],
          kind: 'claude',
          sandbox: 'none',
        },
        projects: [
          {
            planeProject: project.id,
            repo,
            prefix: 'ET',
            name: 'Shop',
            approvers: ['lead@example.org'],
            gates: { review: ['reviewer-verdict', 'pr-approved'] },
          },
          {
            planeProject: guardedProject.id,
            repo: guarded,
            prefix: 'GU',
            name: 'Guarded',
            approvers: ['lead@example.org'],
          },
        ],
      },
      {
        ORCH_PLANE_API_TOKEN: bot.token,
        ORCH_GITEA_TOKEN: gitea.users.bot.token,
        ORCH_GITEA_REVIEWER_TOKEN: gitea.users.reviewer.token,
      },
    );
    await driver.tick();
  });
  afterAll(async () => {
    await driver?.close();
    await plane?.close();
    await gitea?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** A work item up to the developer's first pull request, waiting for CI. */
  async function toPullRequest(
    name: string,
    [where, prefix]: [Project, string] = [project, 'ET'],
  ): Promise<{ id: TaskId; item: WorkItem }> {
    const item = plane.addItem(where, lead, {
      name,
      description_html: '<p>Regular customers get ten percent off their totals.</p>',
    });
    const id = taskIdOf(prefix, item.sequence);
    await driver.until('the request for approval', id, (row) => row.task.hold?.cause === 'approval');
    plane.commentAs(lead, item, '<p>:approved:</p>');
    await driver.until('CI to be waited for', id, waitsForCi);
    return { id, item };
  }

  const waitsForCi = (row: TaskRow): boolean => row.task.stage === 'development' && row.task.hold?.cause === 'ci';
  const waitsForReview = (row: TaskRow): boolean => row.task.hold?.cause === 'pr_review';

  async function ci(id: TaskId, state: string): Promise<string> {
    const sha = (await driver.task(id)).task.progress.codeSha ?? '';
    const { task } = await driver.task(id);
    await gitea.setStatus(task.repo, sha, { context: 'ci/test', state, target_url: 'https://ci.example.org/1' });
    return sha;
  }

  async function review(id: TaskId, event: 'APPROVED' | 'REQUEST_CHANGES', body: string): Promise<void> {
    const { task } = await driver.task(id);
    const answer = await gitea.api(
      'POST',
      `/repos/${repo}/pulls/${task.prNumber ?? 0}/reviews`,
      { event, body },
      gitea.users.lead.token,
    );
    expect(answer.status).toBe(200);
  }

  it('red CI is fixed; changes a person asked for in a review are made; approved, merged, done', async () => {
    const { id, item } = await toPullRequest('Totals with a discount');
    const red = await ci(id, 'failure');
    await driver.until(
      'another run of the developer',
      id,
      (row) => waitsForCi(row) && row.task.progress.codeSha !== red,
    );
    const green = await ci(id, 'success');
    await driver.until('a review by a person', id, waitsForReview);
    await review(id, 'REQUEST_CHANGES', 'Please name the constant.');
    await driver.until('the developer to answer', id, (row) => waitsForCi(row) && row.task.progress.codeSha !== green);
    await ci(id, 'success');
    await driver.until('a second review', id, waitsForReview);
    await review(id, 'APPROVED', '');
    const done = await driver.until('the end', id, (row) => row.task.stage === 'done');
    expect(done.task.counters.developerReruns).toBe(2);
    const journal = await driver.journal(id);
    expect(journal).toContain('development.red-code');
    expect(journal).toContain('review.changes-requested');
    expect(plane.stateName(item)).toBe('Done');
  });

  it('a conflict with the base is merged by the developer; approvals that the protection wants are waited for', async () => {
    const { id } = await toPullRequest('Totals in capital letters');
    await gitea.push(repo, {
      branch: 'main',
      files: { 'src/totals.txt': 'one\nzwei\nthree\n' },
      message: 'by a person',
      user: gitea.users.lead,
    });
    const look = { kind: 'command', name: 'resume', by: 'test' } as const;
    await driver.app.store.post({ taskId: id, sourceKey: 'test:look', body: look });
    await driver.until(
      'the base to be merged in',
      id,
      (row) => waitsForCi(row) && row.task.counters.developerReruns === 1,
    );
    expect(await driver.journal(id)).toContain('development.base-conflict');
    await gitea.protect(repo, { rule_name: 'main', required_approvals: 3 });
    await ci(id, 'success');
    await driver.until('a review by a person', id, waitsForReview);
    await review(id, 'APPROVED', '');
    const held = await driver.until(
      'another approval',
      id,
      (row) => row.task.stage === 'deploy' && waitsForReview(row),
    );
    expect(held.task.hold?.text).toBe('the protection of main wants 3 approvals, 2 count (lead, orch-reviewer)');
    await gitea.api('DELETE', `/repos/${repo}/branch_protections/main`);
    await driver.app.store.post({
      taskId: id,
      sourceKey: 'command:retry:1',
      body: { kind: 'command', name: 'retry', by: 'operator' },
    });
    const done = await driver.until('the end', id, (row) => row.task.stage === 'done');
    expect(done.task.mergedSha).not.toBeNull();
  });

  it('a protected base: the check of the last push is waited for, a dismissed approval is given again', async () => {
    await gitea.protect(guarded, {
      required_approvals: 1,
      dismiss_stale_approvals: true,
      enable_status_check: true,
      status_check_contexts: ['ci/*'],
    });
    const { id } = await toPullRequest('Totals behind a protection', [guardedProject, 'GU']);
    await ci(id, 'success');
    const lastPush = (row: TaskRow): boolean => row.task.stage === 'deploy' && row.task.hold?.cause === 'ci';
    const waits = await driver.until('the check of the last push', id, lastPush);
    expect(waits.task.hold?.text).toBe('the protection of main wants a check of this commit: ci/* has not reported');
    const route = `/repos/${guarded}/pulls/${waits.task.prNumber ?? 0}`;
    const { body: pull } = await gitea.api<{ merged: boolean; head: { sha: CommitSha } }>('GET', route);
    expect(pull.merged).toBe(false);
    expect(pull.head.sha).not.toBe(waits.task.progress.codeSha);
    await gitea.setStatus(guarded, pull.head.sha, { context: 'ci/test', state: 'pending' });
    await driver.until(
      'the name of the check',
      id,
      (row) => lastPush(row) && /not finished: ci\/test$/.test(row.task.hold?.text ?? ''),
    );
    const approvals = async () => {
      const { body } = await gitea.api<{ dismissed: boolean; state: string; commit_id: string }[]>(
        'GET',
        `${route}/reviews`,
      );
      return body
        .filter(({ state }) => state === 'APPROVED')
        .map((row) => [row.dismissed, row.commit_id === pull.head.sha]);
    };
    expect(await approvals()).toEqual([[true, false]]);
    await gitea.setStatus(guarded, pull.head.sha, { context: 'ci/test', state: 'success' });
    await driver.until('the end', id, (row) => row.task.stage === 'done');
    expect(await approvals()).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(await driver.journal(id)).not.toContain('refuses');
  });
});
