import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureGitea } from '../../scripts/real-gitea.js';
import { taskIdOf } from '../../src/core/model/index.ts';
import { startPlane, type SandboxPlane } from '../../src/sandbox/plane/server.ts';
import { claudeCli } from '../support/claude-cli.ts';
import { drive, type Driver } from '../support/line.ts';
import { realPart } from '../support/real-part.ts';
import { startRealWorld, type RealWorld } from '../support/real-world.ts';

const built = await ensureGitea();
const cli = claudeCli();
const missing = 'missing' in built ? built.missing : 'missing' in cli ? cli.missing : null;

realPart('one work item through the whole line: real Gitea, real Claude Code CLI', missing, () => {
  let world: RealWorld;
  let plane: SandboxPlane;
  let driver: Driver;

  beforeAll(async () => {
    const started = await startRealWorld({ reviewFirst: 'REQUEST_CHANGES' });
    if ('missing' in started) throw new Error(started.missing);
    world = started;
    plane = await startPlane({ rateLimitPerMinute: 6000, workerDelayMs: 5 });
  });
  afterAll(async () => {
    await driver?.close();
    await plane.close();
    await world.stop();
  });

  it('ends merged and done, with one round of changes', async () => {
    const bot = plane.addUser({ email: 'orch@example.org', displayName: 'orch' });
    const lead = plane.addUser({ email: 'lead@example.org', displayName: 'Lead' });
    const states = ['In Review', 'Needs Input', 'Blocked'].map((name) => ({ name, group: 'started' as const }));
    const project = plane.addProject({ identifier: 'ET', name: 'Shop', states }, lead);
    const roles = { readPaths: world.readPaths };
    const configuration = {
      plane: { url: plane.url, workspace: plane.state.workspace.slug },
      gitea: { url: world.gitea.url, reviewer: true },
      stateDir: `${world.folder}/state`,
      poll: { planeRequestsPerMinute: 6000 },
      agent: {
        command: [world.claude],
        sandbox: world.sandbox,
        env: world.agentEnv,
        roles: Object.fromEntries(
          ['analyst', 'architect', 'developer', 'reviewer', 'tester', 'deployer'].map((role) => [role, roles]),
        ),
      },
      projects: [
        {
          planeProject: project.id,
          repo: world.repo,
          prefix: 'ET',
          name: 'Shop',
          baseBranch: 'main',
          approvers: ['lead@example.org'],
        },
      ],
    };
    driver = await drive(world.folder, configuration, {
      ...world.env,
      ORCH_PLANE_API_TOKEN: bot.token,
      ORCH_GITEA_TOKEN: world.gitea.users.bot.token,
      ORCH_GITEA_REVIEWER_TOKEN: world.gitea.users.reviewer.token,
    });
    await driver.tick();
    const item = plane.addItem(project, lead, {
      name: 'Totals with a discount',
      description_html: '<p>Regular customers get ten percent off their totals.</p>',
    });
    const id = taskIdOf('ET', item.sequence);
    await driver.until('the request for approval', id, (row) => row.task.hold?.cause === 'approval');
    plane.commentAs(lead, item, '<p>:approved:</p>');
    const green = new Set<string>();
    const done = await driver.until('the end', id, (row) => {
      // CI, as a pipeline would report it: every head that orch waits for turns green.
      const sha = row.task.progress.codeSha;
      if (row.task.hold?.cause === 'ci' && sha !== null && !green.has(sha)) {
        green.add(sha);
        void world.gitea.setStatus(world.repo, sha, { context: 'ci/test', state: 'success' });
      }
      return row.task.stage === 'done';
    });
    expect(done.task.counters.developerReruns).toBe(1);
    expect(green.size).toBe(2);
    expect(world.team.runs.map((run) => run.role)).toEqual([
      'analyst',
      'architect',
      'developer',
      'reviewer',
      'developer',
      'reviewer',
      'tester',
      'deployer',
    ]);
    const number = done.task.prNumber ?? 0;
    const pull = await world.gitea.api('GET', `/repos/${world.repo}/pulls/${number}`);
    expect(pull.body).toMatchObject({ merged: true });
    expect(done.meta.spentMicros).toBeGreaterThan(0);
    process.stderr.write(`${await driver.journal(id)}\n`);
  });
});
