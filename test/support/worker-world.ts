import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLauncher } from '../../src/core/launcher/launcher.ts';
import type {
  Job,
  JobId,
  MessageOf,
  NewJob,
  Notice,
  OutcomeKind,
  Run,
  Store,
  TaskId,
} from '../../src/core/model/index.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { bootId, ownerId, readProcess } from '../../src/core/platform/processes.ts';
import { Redactor } from '../../src/core/platform/redact.ts';
import { openStore } from '../../src/core/store/open.ts';
import type { WorkerConfig, WorkerDeps } from '../../src/core/worker/deps.ts';
import type { RepairDeps } from '../../src/core/worker/repairs/repair.ts';
import { itemMirror, newJob, task } from '../store/bench.ts';
import { gitWorld, repo, type GitWorld } from './worker-git.ts';
import { scriptAgent } from './launcher-bench.ts';

const host = 'test-host';

/** One host: a real database, a real git server and bare copy, real agent processes that are shell scripts. */
export interface WorkerWorld {
  root: string;
  store: Store;
  git: GitWorld;
  /** What was announced, newest last. */
  notices: Notice[];
  /** Tasks that were reported, in order. */
  woken: TaskId[];
  /** Replaces what the agent does; it runs in the workspace, with `$ORCH_RUN`, and must not depend on its arguments. */
  agent(script: string): void;
  /** Makes the agent's `--version` fail, or work again. */
  installed(works: boolean): void;
  deps(over?: Partial<Omit<WorkerDeps, 'config'>> & { config?: Partial<WorkerConfig> }): RepairDeps;
  /** A task in development with a branch on the server; answers its id. */
  addTask(n: number): Promise<TaskId>;
  addJob(taskId: TaskId, over?: Partial<NewJob>): Promise<JobId>;
  job(id: JobId): Promise<Job>;
  runsOf(id: JobId): Promise<Run[]>;
  finished(taskId: TaskId): Promise<MessageOf<'run_finished'> | null>;
  path(name: string): string;
  remove(): Promise<void>;
}

export const branchOf = (taskId: TaskId): string => `feature/${taskId}-basket`;

/** An owner text of this host whose process has ended: a worker that was killed. */
export function deadOwner(): string {
  const { pid } = spawnSync('true');
  return [host, bootId(), pid, 1].join('|');
}

/** An owner text of another process of this host, which lives. */
export function livingOwner(): string {
  return [host, bootId(), process.ppid, readProcess(process.ppid)?.start ?? ''].join('|');
}

const config: WorkerConfig = {
  maxConcurrency: 1,
  leaseMs: 60_000,
  heartbeatMs: 200,
  pollIntervalMs: 200,
  drainMs: 10_000,
  onStop: 'leave',
  backoff: { baseMs: 50, maxMs: 200 },
  breaker: { threshold: 3, pauseMs: 300_000 },
};

/**
 * @param kind what the agent's script prints: events like Claude's, or anything
 * @param before called with the root folder while it is still empty
 */
export async function workerWorld(
  kind: 'claude' | 'other' = 'other',
  before: (root: string) => void = () => {},
): Promise<WorkerWorld> {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'orch-worker-')));
  before(root);
  const file = path.join(root, 'state', 'orch.db');
  mkdirSync(path.dirname(file), { recursive: true });
  const script = path.join(root, 'agent.sh');
  const broken = path.join(root, 'not-installed');
  const store = await openStore({ database: { file }, clock: systemClock, mode: 'service' });
  const git = await gitWorld(root);
  const runsDir = path.join(root, 'state', 'runs');
  const launcher = createLauncher({
    runsDir,
    settingsOf: () => scriptAgent('', { command: [script], kind }),
    identity: { name: 'orch', email: 'orch@example.org' },
    hide: [],
    log: silentLog,
    clock: systemClock,
    redactor: new Redactor(),
    env: process.env,
    killGraceMs: 500,
    preflightTtlMs: 0,
  });
  const notices: Notice[] = [];
  const woken: TaskId[] = [];
  const world: WorkerWorld = {
    root,
    store,
    git,
    notices,
    woken,
    agent: (text) => {
      const version = `[ "$1" = --version ] && { [ ! -e ${broken} ] && echo 1.0; exit; }`;
      writeFileSync(script, `#!/bin/sh\n${version}\n${text}\n`);
      chmodSync(script, 0o755);
    },
    installed: (works) => (works ? rmSync(broken, { force: true }) : writeFileSync(broken, '')),
    deps: (over = {}) => ({
      store,
      launcher,
      git: git.git,
      workspaces: git.workspaces,
      clock: systemClock,
      monotonic: () => performance.now(),
      random: () => 0,
      log: silentLog,
      database: '0123abcd',
      host,
      owner: ownerId(host),
      policyOf: () => null,
      timeoutOf: () => 60_000,
      promptOf: () => Promise.resolve('You are an agent.'),
      itemUrlOf: () => null,
      onTask: (id) => Promise.resolve(void woken.push(id)),
      announce: (_key, notice) => Promise.resolve(void notices.push(notice)),
      runsDir,
      repos: [repo],
      workspaceRetentionMs: 0,
      runRetentionMs: 86_400_000,
      taskRetentionMs: 20_000 * 86_400_000,
      ...over,
      config: { ...config, ...over.config },
    }),
    addTask: async (n) => {
      const id = `ET-${String(n).padStart(3, '0')}` as TaskId;
      const branch = branchOf(id);
      await git.pushOther(branch, `docs/work-items/${id}/00-business-request.md`);
      const item = itemMirror({ itemId: `item-${id}` as never, number: n });
      await store.addTask(task({ id, number: n, repo, branch, stage: 'development', visit: 1 }), item);
      return id;
    },
    addJob: async (taskId, over = {}) => {
      const role = over.role ?? 'developer';
      const { job } = await store.enqueue(newJob({ taskId, repo, branch: branchOf(taskId), ...over, role }));
      return job.id;
    },
    job: async (id) => {
      const job = await store.job(id);
      if (job === null) throw new Error(`no job ${id}`);
      return job;
    },
    runsOf: (id) => store.runs({ jobId: id, limit: 50 }),
    finished: async (taskId) => {
      const message = (await store.load(taskId))?.message ?? null;
      return message?.body.kind === 'run_finished' ? message.body : null;
    },
    path: (name) => path.join(root, name),
    remove: async () => {
      for (const run of await store.runs({ limit: 100 })) {
        if (run.folder !== '' && existsSync(run.folder)) await launcher.kill(run.folder, 'orphan');
      }
      await store.close();
      await git.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
  world.agent('exit 0');
  return world;
}

/** An outcome of an agent that prints the words of a failing service. */
export const failing: Partial<Record<OutcomeKind, string>> = {
  transient: 'echo "API Error: 529 overloaded" >&2; exit 1',
  own_fault: 'echo "assertion failed" >&2; exit 1',
};
