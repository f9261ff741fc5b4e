import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';

const modules = path.resolve(import.meta.dirname, '../../node_modules');

/** The real Claude Code CLI that the development dependencies bring, or why it cannot be run. */
export function claudeCli(): { binary: string; version: string } | { missing: string } {
  const link = path.join(modules, '.bin/claude');
  try {
    accessSync(link, constants.X_OK);
  } catch {
    return { missing: `${link} is not installed (npm ci, on a platform the CLI has a build for)` };
  }
  const answer = spawnSync(link, ['--version'], { encoding: 'utf8', timeout: 30_000 });
  if (answer.status !== 0)
    return { missing: `${link} --version ended with ${answer.status ?? answer.signal ?? 'nothing'}: ${answer.stderr}` };
  return { binary: link, version: answer.stdout.trim() };
}

/** What a sandbox must show of the CLI where the checkout itself lies below something hidden, such as /tmp. */
export const cliReadPaths = [modules];

/** Whether agents can be put into bubblewrap here, or why not. */
export function bubblewrap(): { binary: string } | { missing: string } {
  const answer = spawnSync('bwrap', ['--ro-bind', '/', '/', '--unshare-pid', '--proc', '/proc', 'true'], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  if (answer.error !== undefined) return { missing: `bwrap cannot be started: ${answer.error.message}` };
  return answer.status === 0 ? { binary: 'bwrap' } : { missing: `bwrap does not work here: ${answer.stderr.trim()}` };
}

/**
 * Variables that point the CLI at a scripted API and keep it to itself: no other traffic, a home and a configuration of
 * its own below `folder`, and `retries` tries of its own after a failed call (one takes about half a second).
 */
export function claudeEnv(folder: string, apiUrl: string, retries = 0): Record<string, string> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: path.join(folder, 'home'),
    LANG: 'C.UTF-8',
    ANTHROPIC_BASE_URL: apiUrl,
    ANTHROPIC_API_KEY: 'sk-test-not-a-key',
    CLAUDE_CONFIG_DIR: path.join(folder, 'claude-config'),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    CLAUDE_CODE_MAX_RETRIES: String(retries),
    DISABLE_AUTOUPDATER: '1',
  };
  mkdirSync(env.HOME, { recursive: true });
  mkdirSync(env.CLAUDE_CONFIG_DIR, { recursive: true });
  return env;
}

/** The names of `claudeEnv` that orch must be asked to pass through (`agent.env`). */
export const cliVariables = [
  'ANTHROPIC_BASE_URL',
  'ANTHROPIC_API_KEY',
  'CLAUDE_CONFIG_DIR',
  'CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC',
  'CLAUDE_CODE_MAX_RETRIES',
  'DISABLE_AUTOUPDATER',
];

/** Arguments of a headless run that obeys nothing the branch under work says about hooks, servers and memory. */
export const headlessArgs = [
  '--print',
  '--output-format',
  'stream-json',
  '--verbose',
  '--setting-sources',
  'user',
  '--strict-mcp-config',
  '--allowedTools',
  'Read,Write,Edit,Bash',
] as const;

/** The fields of the CLI's last event that orch reads. */
interface ResultEvent {
  type: 'result';
  subtype: string;
  is_error: boolean;
  api_error_status: number | null;
  result?: string;
  errors?: string[];
  session_id: string;
  num_turns: number;
  total_cost_usd: number;
  usage: {
    input_tokens: number;
    output_tokens: number;
    cache_read_input_tokens: number;
    cache_creation_input_tokens: number;
  };
  terminal_reason?: string;
}

export interface ClaudeRun {
  child: ChildProcess;
  ended: Promise<{
    exitCode: number | null;
    signal: NodeJS.Signals | null;
    events: Record<string, unknown>[];
    result: ResultEvent | null;
    stderr: string;
  }>;
}

/**
 * Starts the CLI in a folder with the prompt on stdin. `args` replaces `headlessArgs`; `wrap` goes before the command
 * (bubblewrap and its arguments).
 */
export function startClaude(options: {
  cwd: string;
  prompt: string;
  env: Record<string, string>;
  args?: readonly string[];
  wrap?: readonly string[];
}): ClaudeRun {
  const cli = claudeCli();
  if ('missing' in cli) throw new Error(cli.missing);
  const [command = '', ...args] = [...(options.wrap ?? []), cli.binary, ...(options.args ?? headlessArgs)];
  const child = spawn(command, args, { cwd: options.cwd, env: options.env, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  child.stdin.on('error', () => {
    // It ended before it read its prompt; the exit says so.
  });
  child.stdin.end(options.prompt);
  const ended = new Promise<Awaited<ClaudeRun['ended']>>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => {
      const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
      const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      const result = events.findLast((event) => event['type'] === 'result');
      resolve({ exitCode, signal, events, result: (result ?? null) as ResultEvent | null, stderr });
    });
  });
  return { child, ended };
}
