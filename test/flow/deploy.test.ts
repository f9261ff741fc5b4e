import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startCoding, type Coding } from '../support/coding.ts';

let coding: Coding | null = null;
afterEach(async () => {
  await coding?.line.close();
  coding = null;
});

// Several agents run one after the other; a busy machine takes its time.
const timeout = 240_000;

test(
  'deploy failed after the merge: Blocked, nothing by itself, a second pull request of the same branch',
  { timeout },
  async () => {
    coding = await startCoding({
      stages: ['development', 'deploy'],
      ci: () => 'success',
      roles: { deployer: [{ act: 'fail-deploy' }, { act: 'nothing' }] },
    });
    const { line, id, item, held, idle, calls, retry, jobs } = coding;
    const { gitea, repo, plane } = line.world;
    // The server removes merged branches by itself.
    repo.deleteBranchAfterMerge = true;
    const failed = await held('deploy_failed');
    expect(failed.task).toMatchObject({ stage: 'development', prNumber: null, hold: { blocking: true } });
    expect(failed.task.hold?.text).toContain('was rolled back: The smoke test failed: HTTP 502.');
    expect(plane.stateName(item)).toBe('Blocked');
    expect(gitea.head(repo, failed.task.branch)).toBeUndefined();
    const before = await jobs();
    await idle();
    await line.work();
    expect(await jobs()).toHaveLength(before.length);
    expect((await line.task(id)).task.hold?.cause).toBe('deploy_failed');

    await retry();
    await held('no_deploy_result');
    expect(calls('developer')[1]?.orders).toContain('HTTP 502');
    expect(repo.pulls.map((pull) => [pull.head, pull.merged !== null])).toEqual([
      [failed.task.branch, true],
      [failed.task.branch, true],
    ]);
    await idle(3);
    await line.work();
    expect(calls('deployer')).toHaveLength(2);
    await retry();
    await coding.reach('the end', (row) => row.task.stage === 'done');
    expect(plane.stateName(item)).toBe('Done');
    expect(await gitea.readFile(repo, 'main', `src/${id.toLowerCase()}.js`)).toContain('revision = 2');
  },
);

test(
  'a conflict with the base goes to the developer; approvals that the server wants are waited for; a rule that cannot be seen is named',
  { timeout },
  async () => {
    coding = await startCoding({
      stages: ['development', 'review', 'deploy'],
      ci: () => 'success',
      roles: { developer: [{}, { merge: 'origin/main' }], reviewer: [{}] },
    });
    const { line, id, held, idle, calls, retry } = coding;
    const { gitea, repo, accounts } = line.world;
    const source = `src/${id.toLowerCase()}.js`;
    const rule = gitea.protect(repo, { rule: 'main', requiredApprovals: 1 });
    const { ended } = await coding.begin('developer', 1);
    await gitea.pushFile(repo, 'main', { [source]: 'export const other = 1;\n' }, 'the same file', accounts.owner);
    await ended;
    // In the way, and later one that is not.
    await coding.reach('the conflict', (row) => row.task.counters.developerReruns === 1);
    expect(await line.journal(id)).toContain('development.base-conflict');
    await gitea.pushFile(repo, 'main', { 'CHANGES.md': 'moved on\n' }, 'moves on', accounts.owner);
    const waits = await held('pr_review');
    expect(calls('developer')[1]?.orders).toContain(source);
    expect(waits.task.hold?.text).toBe('the protection of main wants 1 approval, none counts');
    await idle();
    const merges = (): number => gitea.requests.filter((request) => /^POST .*\/merge/.test(request)).length;
    expect(merges()).toBe(0);
    // A rule that orch cannot see.
    Object.assign(rule, { requiredApprovals: 0, blockOnOutdatedBranch: true });
    await retry();
    const refused = await held('merge_refused');
    expect(refused.task.hold).toMatchObject({ owner: 'administrator', command: `orch retry ${id}` });
    expect(refused.task.hold?.text).toContain('behind the base branch');
    await idle();
    expect(merges()).toBe(1);
    await retry();
    await held('merge_refused');
    expect(merges()).toBe(2);
    expect((await coding.pull()).merged).toBeNull();
    Object.assign(rule, { requiredApprovals: 1, blockOnOutdatedBranch: false });
    // A stranger's word changes nothing; that of somebody who may write is heard by itself.
    const stranger = gitea.addUser({ login: 'mallory' });
    gitea.grant(repo, stranger, 'read');
    gitea.reviewAs(stranger, repo, await coding.pull(), 'APPROVED');
    gitea.reviewAs(stranger, repo, await coding.pull(), 'REQUEST_CHANGES', 'No!');
    await held('pr_review');
    gitea.reviewAs(accounts.reviewer, repo, await coding.pull(), 'APPROVED');
    const { task } = await coding.reach('the end', (row) => row.task.stage === 'done');
    expect(task.counters.developerReruns).toBe(1);
    expect(await gitea.readFile(repo, 'main', 'CHANGES.md')).toContain('moved on');
    expect(await gitea.readFile(repo, 'main', source)).toContain('revision');
  },
);

test(
  'merged by hand while an agent works: the agent is stopped, the task is done, Plane shows it',
  { timeout },
  async () => {
    coding = await startCoding({
      stages: ['development', 'review'],
      roles: { reviewer: [{ hang: true }] },
    });
    const { line, id, item, held, calls } = coding;
    const { gitea, repo, accounts, plane } = line.world;
    await held('ci');
    gitea.setStatus(repo, await coding.head(), 'ci/test', 'success');
    const { ended } = await coding.begin('reviewer', 1);
    await gitea.mergeAs(accounts.owner, repo, await coding.pull());
    await gitea.deleteBranch(repo, await coding.branch(), accounts.owner);
    await line.tick();
    expect((await line.task(id)).task).toMatchObject({ stage: 'done', hold: null });
    await ended;
    await line.tick();
    expect((await line.task(id)).liveJob).toBeNull();
    const pid = calls('reviewer')[0]?.pid ?? 0;
    expect(() => process.kill(pid, 0)).toThrow();
    expect(plane.stateName(item)).toBe('Done');
    expect(await line.journal(id)).toContain('merged by a person');
  },
);

test(
  'an adopted pull request, a fork of the same name, closed and reopened, deleted and restored, rewritten and accepted',
  { timeout },
  async () => {
    coding = await startCoding({ stages: ['development'] });
    const { line, id, held, idle, retry, head, branch, jobs } = coding;
    const { gitea, repo, accounts } = line.world;
    await line.tick();
    const name = await branch();
    const fork = await gitea.injectForkPr(accounts.reviewer, repo, { head: name, title: 'a fork', sha: await head() });
    const own = await gitea.openPr(accounts.owner, repo, { head: name, title: 'by a person' });
    await held('ci');
    expect((await line.task(id)).task.prNumber).toBe(own.number);
    expect(repo.pulls).toHaveLength(2);
    gitea.closePr(fork);
    await idle(2);
    expect((await line.task(id)).task.hold?.cause).toBe('ci');

    gitea.closePr(own);
    await held('pr_closed');
    Object.assign(own, { state: 'open', closedAt: null, updatedAt: Date.now() });
    await held('ci');

    const sha = await head();
    await gitea.deleteBranch(repo, name, accounts.owner);
    await held('branch_deleted');
    await idle();
    await gitea.forcePush(repo, name, sha, accounts.owner);
    Object.assign(own, { state: 'open', closedAt: null, updatedAt: Date.now() });
    await held('ci');

    const other = await gitea.pushFile(
      repo,
      'other',
      { 'src/other.js': 'export {};\n' },
      'other history',
      accounts.owner,
    );
    await gitea.forcePush(repo, name, other, accounts.owner);
    const rewritten = await held('force_pushed');
    expect(rewritten.task.hold?.blocking).toBe(true);
    await idle();
    expect(await head()).toBe(other);
    await retry();
    await held('ci');
    expect(await jobs()).toHaveLength(1);
    // A later push of code on top is judged, and the next run goes on from there.
    gitea.setStatus(repo, other, 'ci/test', 'failure');
    await coding.reach('the rerun', (row) => row.task.counters.developerReruns === 1);
    await held('ci');
    gitea.setStatus(repo, await head(), 'ci/test', 'success');
    await coding.reach('the end', (row) => row.task.stage === 'done');
  },
);

test(
  'the deployer merges: failed after it, without a merge, and a person who merges meanwhile',
  { timeout },
  async () => {
    coding = await startCoding({
      stages: ['development', 'deploy'],
      project: { deploy: { merge: 'agent', mergeStyle: 'merge' } },
      roles: {},
    });
    const { line, id, held, retry, script } = coding;
    const gate = path.join(line.root, 'go');
    const { gitea, repo, accounts } = line.world;
    script({
      deployer: [
        {
          waitFor: gate,
          act: 'fail-deploy',
          result: { status: 'failed', summary: 'no disk', rolled_back: false },
        },
      ],
    });
    await held('ci');
    gitea.setStatus(repo, await coding.head(), 'ci/test', 'success');
    const { ended } = await coding.begin('deployer', 1);
    // Nobody polls between the merge and the end of the run.
    const first = await coding.pull();
    await gitea.mergeAs(accounts.bot, repo, first);
    writeFileSync(gate, '');
    await ended;
    const failed = await held('deploy_failed');
    expect(failed.task).toMatchObject({ stage: 'development', prNumber: null });
    expect(failed.task.hold?.text).toContain('was not rolled back: no disk');
    await retry();
    await held('ci');
    gitea.setStatus(repo, await coding.head(), 'ci/test', 'success');
    const waiting = await held('gate_failed');
    expect(waiting.task.prNumber).not.toBe(first.number);
    await gitea.mergeAs(accounts.owner, repo, await coding.pull());
    await coding.reach('the end', (row) => row.task.stage === 'done');
    expect(await line.journal(id)).not.toContain('world.merged');
  },
);
