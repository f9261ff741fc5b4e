import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFormatter } from '../../src/commands/logs/log-lines.ts';
import { checkFolder } from '../../src/commands/logs/log-read.ts';
import type { Run } from '../../src/core/model/index.ts';
import { bin, lookedAt, type LookedAt } from '../support/looked-at.ts';

let world: LookedAt;
let run: { id: string; folder: string };
let file: string;

const line = (event: Record<string, unknown>): string => `${JSON.stringify(event)}\n`;
const assistant = (...content: Record<string, unknown>[]): Record<string, unknown> => ({
  type: 'assistant',
  message: { content },
  parent_tool_use_id: null,
});
const lines = [
  line({ type: 'system', subtype: 'init', session_id: 's-1', model: 'opus' }),
  line(
    assistant(
      { type: 'text', text: 'I look\nat \u001b[2Jit' },
      { type: 'tool_use', name: 'Bash', input: { command: 'git  status' } },
    ),
  ),
  line({
    type: 'user',
    message: { content: [{ type: 'tool_result', is_error: true, content: [{ type: 'text', text: 'no such file' }] }] },
  }),
  'a plain \u001b[31m line\n',
  line({
    type: 'result',
    subtype: 'success',
    is_error: false,
    num_turns: 3,
    duration_ms: 61_000,
    total_cost_usd: 0.42,
    result: 'All done',
  }),
].join('');
const readable = [
  'session s-1, model opus',
  'I look',
  'at \\x1b[2Jit',
  '  → Bash git status',
  '  ✗ no such file',
  'a plain \\x1b[31m line',
  'All done',
  '✓ finished, 3 turns, 1m01s, $0.42',
  '',
].join('\n');

beforeAll(async () => {
  world = await lookedAt();
  const id = await world.add(12, { stage: 'development' });
  await world.add(13, { stage: 'analysis' });
  await world.ran(id, 1000);
  run = await world.runs(id);
  file = path.join(run.folder, 'stdout.ndjson');
  writeFileSync(file, lines);
  writeFileSync(path.join(run.folder, 'stderr.log'), 'trouble \u0007\n');
});
afterAll(() => world.close());

describe('logs', () => {
  it('prints the newest run of a task, or a run, as readable lines', () => {
    expect(world.orch(['logs', 'et-012'])).toMatchObject({ status: 0, stdout: readable, stderr: '' });
    expect(world.orch(['logs', run.id]).stdout).toBe(readable);
    expect(world.orch(['logs', run.id, '--stderr']).stdout).toBe('trouble \\x07\n');
  });

  it('prints the bytes as they are with --raw, also through a multi-byte cut', () => {
    const bytes = Buffer.concat([Buffer.from(lines), Buffer.from([0xff, 0x00, 0xc3])]);
    writeFileSync(file, bytes);
    const copy = path.join(world.folder, 'copy');
    const { status } = world.orch(['logs', run.id, '--raw'], {}, copy);
    expect(status).toBe(0);
    expect(readFileSync(copy).equals(bytes)).toBe(true);
    writeFileSync(file, lines);
  });

  it('prints no token that the run holds, in any form, of any command', () => {
    const secret = 'plane"secret/1';
    const bytes = [line({ type: 'result', result: `it is ${secret}`, is_error: false }), `plain ${secret}\n`].join('');
    writeFileSync(file, bytes);
    const env = { ORCH_PLANE_API_TOKEN: secret };
    for (const args of [[], ['--json'], ['--raw']]) {
      const { status, stdout } = world.orch(['logs', run.id, ...args], env);
      expect(status).toBe(0);
      expect(stdout).toContain('[redacted]');
      expect(stdout).not.toContain('secret/1');
    }
    writeFileSync(file, lines);
  });

  it('prints one document with --json', () => {
    const document = JSON.parse(world.orch(['logs', run.id, '--json']).stdout) as Record<string, unknown>;
    expect(document).toMatchObject({ schema_version: 1, run: { id: run.id, phase: 'running', ended_at: null } });
    expect(document['entries']).toContainEqual({ kind: 'tool', text: 'Bash git status' });
    expect(world.orch(['logs', run.id, '--json', '--raw']).status).toBe(2);
  });

  it('leaves a line that is still being written alone', () => {
    appendFileSync(file, '{"type":"assist');
    expect(world.orch(['logs', run.id]).stdout).toBe(readable);
    writeFileSync(file, lines);
  });

  it('follows until the run ends, and misses nothing', async () => {
    const child = spawn(process.execPath, [bin, ...world.arguments, 'logs', 'ET-012', '-f'], {
      env: world.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let seen = '';
    const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
    child.stdout.on('data', (chunk: Buffer) => {
      const before = seen;
      seen += chunk.toString();
      if (!before.includes('$0.42') && seen.includes('$0.42'))
        appendFileSync(file, line(assistant({ type: 'text', text: 'more' })));
      if (!before.includes('more') && seen.includes('more')) {
        appendFileSync(file, 'last words without an end');
        writeFileSync(path.join(run.folder, 'exit'), `0 ${Math.floor(Date.now() / 1000)}\n`);
      }
    });
    expect(await ended).toBe(0);
    expect(seen).toBe(`${readable}more\nlast words without an end\n`);
  });

  it('says what is missing', async () => {
    expect(world.orch(['logs', '999'])).toMatchObject({ status: 3, stdout: '' });
    expect(world.orch(['logs', 'ET-404']).status).toBe(3);
    const none = world.orch(['logs', 'ET-013']);
    expect([none.status, none.stderr.split('\n')[0]]).toEqual([3, 'error: ET-013 has no run yet']);
    expect(world.orch(['logs', '1']).stderr).toContain('run 1 never got as far as a folder');
    rmSync(run.folder, { recursive: true });
    const gone = world.orch(['logs', run.id]);
    expect(gone.status).toBe(3);
    expect(gone.stderr).toContain(`the folder of run ${run.id} is not here: ${run.folder}`);
    expect(gone.stderr).toContain('retention.runDays');
    const removed = { ...run, host: hostname(), phase: 'settled' } as Run;
    const [now, day] = [Date.now(), 86_400_000];
    expect(() => checkFolder({ ...removed, endedAt: now - 120 * day }, now, 90 * day)).toThrow(
      `the folder of run ${run.id} was removed: it ended 120 days ago, and folders are kept for 90 days`,
    );
  });
});

describe('lines of a stream', () => {
  const format = (...events: Record<string, unknown>[]) => {
    const formatter = createFormatter('…');
    return events.flatMap((event) => formatter(JSON.stringify(event)));
  };

  it('do not repeat the last message as the result', () => {
    const entries = format(assistant({ type: 'text', text: 'Done.' }), {
      type: 'result',
      subtype: 'success',
      result: 'Done.',
    });
    expect(entries).toEqual([
      { kind: 'text', text: 'Done.' },
      { kind: 'result', text: 'finished' },
    ]);
  });

  it('name failures, limits and retries', () => {
    expect(
      format(
        { type: 'rate_limit_event', rate_limit_info: { status: 'rejected' } },
        { type: 'rate_limit_event', rate_limit_info: { status: 'allowed' } },
        { type: 'system', subtype: 'api_retry', error_status: 529 },
        { type: 'result', subtype: 'error_max_turns', is_error: true, errors: ['too many'], num_turns: 9 },
      ),
    ).toEqual([
      { kind: 'notice', text: 'usage limit: rejected' },
      { kind: 'notice', text: 'the service refused a request (529), trying again' },
      { kind: 'text', text: 'too many' },
      { kind: 'failure', text: 'failed (error_max_turns), 9 turns' },
    ]);
  });

  it('cut long input on a character, and mark what a subagent does', () => {
    const sub = {
      ...assistant({ type: 'tool_use', name: 'Write', input: { content: '🙂'.repeat(300) } }),
      parent_tool_use_id: 'x',
    };
    const [entry] = format(sub);
    expect(entry?.text).toBe(`  Write {"content":"${'🙂'.repeat(188)}…`);
  });

  it('survive any shape', () => {
    for (const event of [
      { type: 'assistant' },
      { type: 'assistant', message: { content: 'x' } },
      { type: 'user', message: null },
      { type: 'result' },
      { type: 'system' },
      { type: 7 },
    ])
      expect(() => format(event as Record<string, unknown>)).not.toThrow();
  });
});
