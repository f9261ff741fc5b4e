import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openApp, type App } from '../../src/app.ts';
import { loadConfig } from '../../src/core/config/load.ts';
import { createSecrets } from '../../src/core/config/secrets.ts';
import { isFinal, type TaskId, type TaskRow } from '../../src/core/model/index.ts';
import { systemClock, type Clock } from '../../src/core/platform/clock.ts';
import { silentLog, lineLog } from '../../src/core/platform/log.ts';
import { Redactor } from '../../src/core/platform/redact.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { runRounds } from '../../src/core/engine/rounds.ts';
import { createPoller } from '../../src/pollers/schedule.ts';
import { writeAgentScript, type AgentScript } from '../../src/sandbox/agent/script.ts';
import { startWorld, type World, type WorldOptions } from '../../src/sandbox/world.ts';

/** orch put together on some state, driven step by step. */
export interface Driver {
  readonly app: App;
  /** One tick of the poller. */
  tick(): Promise<NonNullable<Awaited<ReturnType<ReturnType<typeof createPoller>['tick']>>>>;
  /** Runs agents until nothing is due. */
  work(): Promise<void>;
  /** Ticks and works until the condition holds; fails with the task's own journal when it does not. */
  until(what: string, taskId: TaskId, done: (row: TaskRow) => boolean, rounds?: number): Promise<TaskRow>;
  task(taskId: TaskId): Promise<TaskRow>;
  journal(taskId: TaskId): Promise<string>;
  /** A second orch on the same state, as after a restart. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** The line over the sandbox: real sockets, real git, real processes, real database. */
export interface Line extends Driver {
  root: string;
  world: World;
}

export interface LineOptions extends Partial<WorldOptions> {
  /** Adds to the world, and to its configuration, before orch is opened. */
  prepare?: (world: World) => Promise<void>;
  /** Changes to the configuration object before it is loaded. */
  configure?: (config: Record<string, unknown>) => void;
  /** Agent script (JSON) by role; see the scripted agent. */
  script?: AgentScript;
  env?: Record<string, string>;
  /** orch's own clock. */
  appClock?: Clock;
}

export async function startLine(options: LineOptions = {}): Promise<Line> {
  const root = mkdtempSync(path.join(tmpdir(), 'orch-line-'));
  const { script } = options;
  const agentScript = script === undefined ? {} : { agentScript: writeAgentScript(path.join(root, 'script'), script) };
  const world = await startWorld({ root, lagMs: 5, workerDelayMs: 5, ...agentScript, ...options });
  await options.prepare?.(world);
  options.configure?.(world.config);
  const driver = await drive(root, world.config, { ...world.env, ...options.env }, options.appClock);
  return {
    ...driver,
    get app() {
      return driver.app;
    },
    root,
    world,
    async close() {
      await driver.close();
      await world.close();
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Opens orch with a configuration, written to `folder`, and secrets by environment. */
export async function drive(
  folder: string,
  configuration: Record<string, unknown>,
  secrets: Record<string, string>,
  clock: Clock = systemClock,
): Promise<Driver> {
  const file = path.join(folder, 'orchestrator.config.json');
  writeFileSync(file, JSON.stringify(configuration));
  const open = async (): Promise<App> => {
    const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...secrets };
    const redactor = new Redactor();
    const { config } = await loadConfig({ env, cwd: folder, file });
    const log =
      process.env['ORCH_TEST_LOG'] === undefined
        ? silentLog
        : lineLog('debug', redactor, (line) => process.stderr.write(line));
    return openApp({ config, secrets: createSecrets(env, redactor), redactor, env, clock, log, mode: 'service' });
  };
  let app = await open();
  const never = new AbortController().signal;
  const driver: Driver = {
    get app() {
      return app;
    },
    async tick() {
      const report = await createPoller(app.engine, app.config, async () => {}).tick(never);
      if (report === null) throw new Error('another poller leads');
      return report;
    },
    async work() {
      const rounds = { decisions: 0, delivered: 0, problems: [] };
      await createWorker(app.workerDeps(() => runRounds(rounds, app.engine))).runUntilEmpty();
    },
    async task(taskId) {
      const row = await app.store.task(taskId);
      if (row === null) throw new Error(`no task ${taskId}`);
      return row;
    },
    async until(what, taskId, done, rounds = 40) {
      const trouble = new Set<string>();
      for (let round = 0; round < rounds; round += 1) {
        const { problems } = await driver.tick();
        for (const { what: where, error } of problems) trouble.add(`${where}: ${error.message}`);
        await driver.work();
        const row = await app.store.task(taskId);
        // Of a task that is at its end, tests look at what people see: that is there when nothing is left to deliver.
        if (row !== null && done(row) && (!isFinal(row.task.stage) || row.pendingEffects === 0)) return row;
        await systemClock.sleep(30);
      }
      throw new Error(`${what} did not happen\n${[...trouble].join('\n')}\n${await driver.journal(taskId)}`);
    },
    async journal(taskId) {
      const rows = await app.store.decisions({ taskId, limit: 100 });
      const row = await app.store.task(taskId);
      const effects = await app.store.effects({ taskId, limit: 50 });
      const runs = await app.store.runs({ taskId, limit: 50 });
      return [
        JSON.stringify({
          stage: row?.task.stage,
          hold: row?.task.hold,
          job: row?.liveJob?.state,
          messages: row?.queuedMessages,
        }),
        ...rows
          .map(
            (decision) => `${decision.version} ${decision.why.rule}: ${decision.why.sentence} [${decision.why.cause}]`,
          )
          .reverse(),
        ...effects
          .filter((effect) => effect.state !== 'done')
          .map((effect) => `effect ${effect.key} ${effect.state} ${effect.error ?? ''}`),
        ...runs.map(
          (run) =>
            `run ${run.id} ${run.role} ${run.phase} ${run.outcome?.kind ?? ''} ${run.outcome?.detail ?? ''} ${run.outcome?.tail.slice(-300) ?? ''}`,
        ),
      ].join('\n');
    },
    async reopen() {
      await app.close();
      app = await open();
    },
    async close() {
      await app.close();
    },
  };
  return driver;
}
