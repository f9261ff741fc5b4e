import { createLauncher } from '../../src/core/launcher/launcher.ts';
import { defaultTools } from '../../src/core/config/roles.ts';
import { defaultProtectedPaths } from '../../src/core/config/schema/agent.ts';
import { productsOf } from '../../src/core/pipeline/stages/index.ts';
import type {
  AgentSettings,
  CommitSha,
  LauncherPort,
  RepoSlug,
  RunId,
  RunSpec,
  TaskId,
} from '../../src/core/model/index.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { Redactor } from '../../src/core/platform/redact.ts';
import { cliReadPaths, cliVariables } from './claude-cli.ts';

/** The launcher as the program wires it, for the real CLI against a scripted API. */
export function realLauncher(options: {
  binary: string;
  runsDir: string;
  hide: string[];
  env: NodeJS.ProcessEnv;
  settings: Partial<AgentSettings>;
}): LauncherPort {
  const settings: AgentSettings = {
    command: [options.binary],
    kind: 'claude',
    model: null,
    allowedTools: defaultTools,
    timeoutMs: 60_000,
    idleMs: null,
    graceMs: 5_000,
    env: cliVariables,
    readPaths: cliReadPaths,
    writePaths: [],
    gitConfig: {},
    commitPaths: null,
    sandbox: 'auto',
    protectedPaths: defaultProtectedPaths,
    ...options.settings,
  };
  return createLauncher({
    runsDir: options.runsDir,
    settingsOf: () => settings,
    identity: { name: 'orch', email: 'orch@example.org' },
    hide: options.hide,
    log: silentLog,
    clock: systemClock,
    redactor: new Redactor(),
    env: options.env,
  });
}

/** A first run of the analyst of ET-012. */
export function analystRun(workspace: string, change: Partial<RunSpec> = {}): RunSpec {
  return {
    runId: crypto.randomUUID() as RunId,
    kind: 'agent',
    role: 'analyst',
    taskId: 'ET-012' as TaskId,
    projectId: null,
    repo: 'acme/shop' as RepoSlug,
    branch: 'feature/ET-012-totals',
    baseBranch: 'main',
    stage: 'analysis',
    title: 'Totals are wrong',
    priority: 'high',
    itemUrl: null,
    workspace,
    readPaths: [],
    baseSha: '0'.repeat(40) as CommitSha,
    attempt: 1,
    maxAttempts: 2,
    orders: { why: 'The work item was accepted.', sections: [] },
    products: productsOf('analysis', 'analyst', [])('docs/work-items/ET-012'),
    command: null,
    timeoutMs: 60_000,
    budgetMicros: null,
    resumeSession: null,
    prompt: 'You are the analyst. Write the documents.',
    ...change,
  };
}
