import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { enqueue } from '../../src/commands/enqueue/enqueue-run.ts';
import { removeProject } from '../../src/commands/project/project.ts';
import { readOverview } from '../../src/commands/shared/overview.ts';
import { runRounds } from '../../src/core/engine/rounds.ts';
import { recover } from '../../src/core/worker/repairs.ts';
import type { RunRecord } from '../../src/core/launcher/run-folder.ts';
import type { JobKind, ProjectId, RepoSlug, TaskId } from '../../src/core/model/index.ts';
import { newJob, itemMirror, task } from '../store/bench.ts';
import { commandContext } from '../support/command-context.ts';
import { drive, startLine, type Line } from '../support/line.ts';
import { planeSide } from '../support/plane-side.ts';
import { violations } from '../support/violations.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

const repo = 'acme/shop' as RepoSlug;
const second = '77777777-0000-4000-8000-000000000002' as ProjectId;

/** Makes an agent that leaves a file named after it. */
function agent(root: string, name: string): string[] {
  const file = path.join(root, `${name}.sh`);
  writeFileSync(file, `#!/bin/sh\nif [ "$1" = --version ]; then echo 1; else echo ${name} > docs-${name}.txt; fi\n`);
  chmodSync(file, 0o755);
  return [file];
}

/** Two projects on one repository that differ in everything a worker reads by project. */
function configure(config: Record<string, unknown>): void {
  const [first] = config['projects'] as Record<string, unknown>[];
  const root = path.dirname(config['stateDir'] as string);
  config['projects'] = [
    {
      ...first,
      tests: { command: ['true', 'first'], timeoutSeconds: 11 },
      agent: { command: agent(root, 'first'), kind: 'other', timeoutMinutes: 10, protectedPaths: [] },
    },
    {
      ...first,
      planeProject: second,
      prefix: 'AB',
      name: 'Second',
      tests: { command: ['true', 'second'], timeoutSeconds: 22 },
      agent: {
        command: agent(root, 'second'),
        kind: 'other',
        timeoutMinutes: 99,
        protectedPaths: ['docs-second.txt'],
        roles: { developer: { promptFile: 'second.md' } },
      },
    },
  ];
}

async function addTask(on: Line, id: TaskId, projectId: ProjectId, number: number): Promise<void> {
  const branch = `feature/${id}`;
  await on.world.gitea.pushFile(
    on.world.repo,
    branch,
    { 'docs/start.md': `${id}\n` },
    'start',
    on.world.accounts.owner,
  );
  const itemId = `item-${number}` as never;
  await on.app.store.addTask(
    task({ id, projectId, itemId, number, repo, branch, stage: 'development', visit: 1 }),
    itemMirror({ itemId, number }),
  );
}

let causes = 0;
/** Queues a job of a task as the pipeline does and answers what its run was started with. */
async function started(on: Line, taskId: TaskId, kind: JobKind): Promise<{ record: RunRecord; prompt: string }> {
  const { task: of } = await on.task(taskId);
  const { tests } = on.app.engine.policyOf(of) ?? { tests: null };
  const check = kind === 'check' ? { command: tests?.command ?? null, timeoutMs: tests?.timeoutMs ?? null } : {};
  const { job } = await on.app.store.enqueue(
    newJob({
      ...{
        kind,
        taskId,
        projectId: of.projectId,
        cause: `${kind}:${taskId}:${(causes += 1)}`,
        role: 'developer',
        repo,
      },
      ...{ branch: of.branch, ...check },
    }),
  );
  await on.work();
  const [run] = await on.app.store.runs({ jobId: job.id, limit: 1 });
  expect(run?.outcome).toMatchObject({ kind: 'success' });
  const file = (name: string): string => readFileSync(path.join(run?.folder ?? '', name), 'utf8');
  return { record: JSON.parse(file('run.json')) as RunRecord, prompt: file('system-prompt.md') };
}

test('of two projects on one repository each has its own settings', async () => {
  line = await startLine({ configure });
  const { gitea, repo: hosted, project } = line.world;
  writeFileSync(path.join(line.root, 'second.md'), 'You work for the second project.\n');
  await addTask(line, 'ET-001' as TaskId, project.id as ProjectId, 1);
  await addTask(line, 'AB-001' as TaskId, second, 2);

  const one = await started(line, 'ET-001' as TaskId, 'agent');
  const two = await started(line, 'AB-001' as TaskId, 'agent');
  expect(one.record).toMatchObject({ timeoutMs: 600_000, program: path.join(line.root, 'first.sh') });
  expect(two.record).toMatchObject({ timeoutMs: 5_940_000, program: path.join(line.root, 'second.sh') });
  expect(two.prompt).toBe('You work for the second project.\n');
  expect(one.prompt).not.toBe(two.prompt);
  // The one may publish what the other protects.
  expect(await gitea.readFile(hosted, 'feature/ET-001', 'docs-first.txt')).toBe('first');
  await expect(gitea.readFile(hosted, 'feature/AB-001', 'docs-second.txt')).rejects.toThrow('does not exist');

  // Prompts in the repository: for all projects of it, or for one by its prefix.
  const prompts = { '.openclaw/agents/developer.md': 'For all.\n', '.openclaw/agents/AB/developer.md': 'For AB.\n' };
  await gitea.pushFile(hosted, 'main', prompts, 'prompts', line.world.accounts.owner);
  expect((await started(line, 'ET-001' as TaskId, 'agent')).prompt).toBe('For all.\n');
  expect((await started(line, 'AB-001' as TaskId, 'agent')).prompt).toBe('For AB.\n');

  expect((await started(line, 'ET-001' as TaskId, 'check')).record).toMatchObject({
    ...{ timeoutMs: 11_000, argv: ['true', 'first'] },
  });
  expect((await started(line, 'AB-001' as TaskId, 'check')).record).toMatchObject({
    ...{ timeoutMs: 22_000, argv: ['true', 'second'] },
  });
}, 120_000);

test('an ad-hoc run on a repository of two projects says for which one it is', async () => {
  line = await startLine({ configure });
  const prompt = path.join(line.root, 'prompt.txt');
  writeFileSync(prompt, 'Look through the cart.\n');
  writeFileSync(path.join(line.root, 'second.md'), 'You work for the second project.\n');
  const asked = { repo, branch: 'audit/cart', prompt };
  const context = commandContext(line);
  await expect(enqueue(context, 'developer', asked)).rejects.toMatchObject({
    code: 'project_ambiguous',
    hint: 'Say which with --project. Projects of acme/shop: ET (Shop), AB (Second).',
  });
  await expect(enqueue(context, 'developer', { ...asked, project: 'XY' })).rejects.toMatchObject({
    code: 'project_unknown',
  });
  await enqueue(context, 'developer', { ...asked, project: 'ab' });
  await line.work();
  const [run] = await line.app.store.runs({ limit: 1 });
  const record = JSON.parse(readFileSync(path.join(run?.folder ?? '', 'run.json'), 'utf8')) as RunRecord;
  expect(record).toMatchObject({ timeoutMs: 5_940_000, spec: { projectId: second } });
}, 120_000);

/** Writes the configuration again, with other projects, and opens orch on it, as after a restart. */
async function restartWith(on: Line, projects: Record<string, unknown>[]): Promise<void> {
  const file = path.join(on.root, 'orchestrator.config.json');
  writeFileSync(file, JSON.stringify({ ...on.world.config, projects }));
  await on.reopen();
}

test('a project that was taken out of the configuration rests until it is back, or is removed', async () => {
  line = await startLine();
  const { world } = line;
  const side = planeSide(line);
  const [mine = {}] = world.config['projects'] as Record<string, unknown>[];
  const others = [{ ...mine, planeProject: second, prefix: 'AB', name: 'Second' }];
  await side.tick();
  const item = side.add('A discount for regular customers');
  await side.tick(2);
  const id = side.id(item);
  expect((await side.row(item)).liveJob).toMatchObject({ role: 'analyst', state: 'queued' });

  await restartWith(line, others);
  const { store } = line.app;
  await store.post({ taskId: id, sourceKey: 'command:pause:1', body: { kind: 'command', name: 'pause', by: 'op' } });
  const before = await side.row(item);
  // A worker, a poller's repairs and rounds, and an operator's shell: none of them knows the project.
  await line.work();
  await recover(
    line.app.workerDeps(async () => {}),
    { dryRun: false },
  );
  await runRounds({ decisions: 0, delivered: 0, problems: [] }, line.app.engine);
  expect(await side.row(item)).toEqual(before);
  expect(before).toMatchObject({ queuedMessages: 1, liveJob: { state: 'queued' } });
  expect(side.calls(item, 'analyst')).toEqual([]);
  const overview = await readOverview(store, line.app.config, false);
  expect(overview.resting).toEqual([{ projectId: mine['planeProject'], tasks: [id] }]);
  const said: string[] = [];
  await expect(removeProject(commandContext(line), 'AB')).rejects.toMatchObject({ code: 'project_configured' });

  // Back: what was said meanwhile is heard, and the agent runs.
  await restartWith(line, [mine]);
  await runRounds({ decisions: 0, delivered: 0, problems: [] }, line.app.engine);
  expect((await side.row(item)).task.paused).toBe(true);
  await line.app.store.post({ taskId: id, sourceKey: 'c:2', body: { kind: 'command', name: 'resume', by: 'op' } });
  await runRounds({ decisions: 0, delivered: 0, problems: [] }, line.app.engine);
  await line.work();
  expect((await side.row(item)).task.hold).toMatchObject({ cause: 'approval' });

  await restartWith(line, others);
  await removeProject(commandContext(line, said), 'ET');
  expect(said).toEqual([`project ${String(mine['planeProject'])} is removed; ended: ${id}`]);
  expect((await side.row(item)).task).toMatchObject({ stage: 'cancelled', hold: null });
  expect((await side.row(item)).pendingEffects).toBe(0);
  // All that is wrong with it is that its project is gone.
  expect(await violations(null, line.app.config.dbPath)).toEqual([
    `${id} is of no registered project, or from before first contact`,
  ]);
  expect((await line.app.store.project(mine['planeProject'] as ProjectId)).firstNumber).toBeNull();
}, 120_000);

test('two databases on one project: the second one holds the item, says so, and runs nothing', async () => {
  line = await startLine();
  const { world } = line;
  const side = planeSide(line);
  await side.tick();
  // A forgotten container: the same configuration and tokens, a state folder of its own.
  const folder = path.join(line.root, 'other');
  mkdirSync(folder);
  const config = { ...world.config, stateDir: path.join(folder, 'state') };
  const other = await drive(folder, config, world.env);
  try {
    await other.tick();
    const item = side.add('A discount for regular customers');
    const id = side.id(item);
    await side.tick(2);
    expect((await side.row(item)).task).toMatchObject({ stage: 'analysis', hold: null });
    await other.tick();
    await other.tick();
    await other.work();
    const theirs = await other.task(id);
    const mine = await line.app.store.identity();
    expect(theirs).toMatchObject({ task: { stage: 'created', hold: { cause: 'other_database' } }, liveJob: null });
    expect(theirs.task.hold?.text).toContain(`another database of orch (${mine})`);
    expect(side.noticesWith(item, 'Another orch works on this item', mine)).toHaveLength(1);
    // The first one hears of the second by that comment.
    await side.tick(2);
    expect((await side.row(item)).task.hold).toMatchObject({ cause: 'other_database' });
    await side.tick(2);
    await other.tick();
    expect(side.noticesWith(item, 'Another orch works on this item')).toHaveLength(2);
  } finally {
    await other.close();
  }
}, 120_000);
