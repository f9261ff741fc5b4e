import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bin } from '../support/looked-at.ts';

/** What a command loads before it answers: time is measured by `npm run bench`, this is what it is made of. */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-start-'));
  mkdirSync(path.join(folder, 'state'), { mode: 0o700 });
  const project = {
    planeProject: '11111111-2222-4333-8444-555555555555',
    repo: 'acme/shop',
    prefix: 'ET',
    approvers: ['a@example.org'],
  };
  const plane = { url: 'http://127.0.0.1:9', workspace: 'acme' };
  const config = { stateDir: 'state', plane, gitea: { url: 'http://127.0.0.1:9' }, projects: [project] };
  writeFileSync(path.join(folder, 'orchestrator.config.json'), JSON.stringify(config));
  writeFileSync(path.join(folder, 'prompt.md'), 'Fix the typo.\n');
  // Files of the program without their hash, and modules of Node.js by their names, as one line of JSON on stderr.
  writeFileSync(
    path.join(folder, 'loaded.cjs'),
    `process.on('exit', () => {
      const files = Object.keys(require.cache).map((file) => require('node:path').basename(file).replace(/-[\\w-]{8}\\.cjs$/, ''));
      const modules = process.moduleLoadList.filter((name) => name.startsWith('NativeModule ')).map((name) => name.slice(13));
      require('node:fs').writeSync(2, '\\n' + JSON.stringify({ files, modules }));
    });`,
  );
  // The schema is made, and the configuration is checked, once.
  loaded(...adhoc);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const adhoc = 'enqueue developer --repo acme/shop --branch fix/typo --prompt prompt.md --idempotency-key one'.split(
  ' ',
);

function loaded(...args: string[]): { files: string[]; modules: string[] } {
  const command = `exec "$@" 2>&1 >/dev/null`;
  const words = [process.execPath, '--require', './loaded.cjs', bin, ...args];
  const env = { PATH: process.env['PATH'], HOME: folder };
  const text = execFileSync('sh', ['-c', command, 'sh', ...words], { cwd: folder, env, encoding: 'utf8' });
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as { files: string[]; modules: string[] };
}

/** Slow to load; each of them takes as long as everything else that the command does. */
const slow = [
  ...['lazy-zod', 'schema', 'Explorer', 'lazy-yaml', 'lazy-htmlparser2', 'lazy-slugify', 'lazy-string-width'],
  ...['lazy-pino', 'lazy-execa', 'lazy-got', 'node-cron', 'ora', 'child_process', 'http', 'https', 'tls'],
];

it.each<[string, string[], string[], number]>([
  ['--help', ['--help'], ['look', 'work', 'crypto'], 8],
  ['--version', ['--version'], ['look', 'work', 'crypto'], 8],
  ['help status', ['help', 'status'], ['work', 'crypto'], 25],
  ['status', ['status'], ['work', 'crypto'], 25],
  ['status --json', ['status', '--json'], ['work', 'crypto'], 25],
  ['status --queue', ['status', '--queue'], ['work', 'crypto'], 25],
  ['enqueue', adhoc, [], 26],
])('%s loads nothing slow, and few files', (_name, args, also, maxFiles) => {
  const { files, modules } = loaded(...args);
  expect(files).toContain('base');
  expect([...files, ...modules].filter((name) => [...slow, ...also].includes(name))).toEqual([]);
  expect(files.length).toBeLessThanOrEqual(maxFiles);
});
