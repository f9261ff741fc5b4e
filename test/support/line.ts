import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openApp, type App } from '../../src/core/app.ts';
import { loadConfig } from '../../src/core/config/load.ts';
import { createSecrets } from '../../src/core/config/secrets.ts';
import type { TaskId, TaskRow } from '../../src/core/model/index.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { silentLog, lineLog } from '../../src/core/platform/log.ts';
import { Redactor } from '../../src/core/platform/redact.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { settle } from '../../src/pollers/poll-once.ts';
import { createPoller } from '../../src/pollers/schedule.ts';
import { startWorld, type World, type WorldOptions } from '../../src/sandbox/world.ts';
import { writeFileSync, mkdirSync } from 'node:fs';

/** The line put together over the sandbox, driven step by step: real sockets, real git, real processes, real database. */
export interface Line {
  root: string;
  world: World;
  app: App;
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

export interface LineOptions extends Partial<WorldOptions> {
  /** Changes to the configuration object before it is loaded. */
  configure?: (config: Record<string, unknown>) => void;
  /** Agent script (JSON) by role; see the scripted agent. */
  script?: unknown;
  env?: Record<string, string>;
}

export async function startLine(options: LineOptions = {}): Promise<Line> {
  const { builtScript } = await import('./build.ts');
  const root = mkdtempSync(path.join(tmpdir(), 'orch-line-'));
  const scriptFile = path.join(root, 'script', 'script.json');
  if (options.script !== undefined) {
    mkdirSync(path.dirname(scriptFile), { recursive: true });
    writeFileSync(scriptFile, JSON.stringify(options.script));
  }
  const agent = [process.execPath, builtScript('src/sandbox/agent/scripted-agent.ts')];
  const agentCommand = options.script === undefined ? agent : ['env', `ORCH_AGENT_SCRIPT=${scriptFile}`, ...agent];
  const world = await startWorld({ root, lagMs: 5, workerDelayMs: 5, agentCommand, ...options });
  delete (world.config['agent'] as Record<string, unknown>)['env'];
  options.configure?.(world.config);
  const file = path.join(root, 'orchestrator.config.json');
  writeFileSync(file, JSON.stringify(world.config));
  const open = async (): Promise<App> => {
    const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...world.env, ...options.env };
    const redactor = new Redactor();
    const { config } = await loadConfig({ env, cwd: root, file });
    const log = process.env['ORCH_TEST_LOG'] === undefined ? silentLog : lineLog('debug', redactor, (line) => process.stderr.write(line));
    return openApp({ config, secrets: createSecrets(env, redactor), redactor, env, clock: systemClock, log, mode: 'service' });
  };
  let app = await open();
  const never = new AbortController().signal;
  const line: Line = {
    root,
    world,
    get app() {
      return app;
    },
    async tick() {
      const report = await createPoller(app.engine, app.config, async () => {}).tick(never);
      if (report === null) throw new Error('another poller leads');
      return report;
    },
    async work() {
      const settled = { decisions: 0, delivered: 0, problems: [] };
      await createWorker(app.workerDeps(() => settle(settled, app.engine))).runUntilEmpty();
    },
    async task(taskId) {
      const row = await app.store.task(taskId);
      if (row === null) throw new Error(`no task ${taskId}`);
      return row;
    },
    async until(what, taskId, done, rounds = 40) {
      const trouble = new Set<string>();
      for (let round = 0; round < rounds; round += 1) {
        const { problems } = await line.tick();
        for (const { what: where, error } of problems) trouble.add(`${where}: ${error.message}`);
        await line.work();
        const row = await app.store.task(taskId);
        if (row !== null && done(row)) return row;
        await systemClock.sleep(30);
      }
      throw new Error(`${what} did not happen\n${[...trouble].join('\n')}\n${await line.journal(taskId)}`);
    },
    async journal(taskId) {
      const rows = await app.store.decisions({ taskId, limit: 100 });
      const row = await app.store.task(taskId);
      const effects = await app.store.effects({ taskId, limit: 50 });
      const runs = await app.store.runs({ taskId, limit: 50 });
      return [
        JSON.stringify({ stage: row?.task.stage, hold: row?.task.hold, job: row?.liveJob?.state, messages: row?.queuedMessages }),
        ...rows.map((decision) => `${decision.version} ${decision.why.rule}: ${decision.why.sentence} [${decision.why.cause}]`).reverse(),
        ...effects.filter((effect) => effect.state !== 'done').map((effect) => `effect ${effect.key} ${effect.state} ${effect.error ?? ''}`),
        ...runs.map((run) => `run ${run.id} ${run.role} ${run.phase} ${run.outcome?.kind ?? ''} ${run.outcome?.detail ?? ''} ${run.outcome?.tail.slice(-300) ?? ''}`),
      ].join('\n');
    },
    async reopen() {
      await app.close();
      app = await open();
    },
    async close() {
      await app.close();
      await world.close();
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return line;
}
