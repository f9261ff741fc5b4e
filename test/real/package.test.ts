import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** `npm pack` in a copy of the repository, and what it made installed in an empty folder without a network. */
const root = path.resolve(import.meta.dirname, '../..');
const addon = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node';
const folder = mkdtempSync(path.join(tmpdir(), 'orch-package-'));
const copy = path.join(folder, 'copy');
const clean = path.join(folder, 'clean');
const installed = path.join(clean, 'node_modules/orch');
let packed: string[] = [];

function npm(args: string[], cwd: string): string {
  return execFileSync('npm', [...args, '--offline', '--cache', path.join(folder, 'cache')], { cwd, encoding: 'utf8' });
}

beforeAll(() => {
  const left = new Set(['.git', 'node_modules', 'dist', 'coverage']);
  cpSync(root, copy, {
    recursive: true,
    filter: (from) => !left.has(path.relative(root, from)) && !from.endsWith('.tgz'),
  });
  // Hard links where the file system allows them: these are hundreds of megabytes, and nothing writes into them.
  execFileSync('sh', [
    '-c',
    'cp -al "$1" "$2" 2>/dev/null || cp -a "$1" "$2"',
    'sh',
    path.join(root, 'node_modules'),
    copy,
  ]);
  mkdirSync(path.join(copy, 'dist'));
  writeFileSync(path.join(copy, 'dist/planted.js'), 'throw new Error("stale");\n');
  npm(['pack', '--silent'], copy);
  const [tarball = ''] = readdirSync(copy).filter((file) => file.endsWith('.tgz'));
  packed = execFileSync('tar', ['tzf', tarball], { cwd: copy, encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((file) => file.replace(/^package\//, ''));
  mkdirSync(clean);
  writeFileSync(path.join(clean, 'package.json'), '{ "private": true }\n');
  npm(['install', '--ignore-scripts', path.join(copy, tarball)], clean);
  // In place of compiling it once more: npm would do that by the package's install script.
  mkdirSync(path.dirname(path.join(installed, addon)), { recursive: true });
  cpSync(path.join(root, addon), path.join(installed, addon));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('the tarball has what the sources give and nothing that lay in dist or was compiled for this machine', () => {
  expect(packed).toContain('bin/orch.js');
  expect(packed).toContain('dist/cli.cjs');
  expect(packed).not.toContain('dist/planted.js');
  const sources = readdirSync(path.join(copy, 'src'), { recursive: true, encoding: 'utf8' });
  const besides = packed
    .filter((file) => file.startsWith('dist/') && !file.endsWith('.cjs'))
    .map((file) => file.slice('dist/'.length));
  expect(besides.sort()).toEqual(sources.filter((file) => /\.(sql|sh)$/.test(file)).sort());
  expect(
    packed.filter((file) => file.endsWith('.node') || file.startsWith('test/') || file.startsWith('src/')),
  ).toEqual([]);
});

test('the tarball contains its dependencies in the versions of the lock file, and installs without a registry', () => {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; dev?: boolean; optional?: boolean; devOptional?: boolean }>;
  };
  const locked = Object.entries(packages).filter(
    ([at, { dev, devOptional }]) => at !== '' && !(dev ?? devOptional ?? false),
  );
  expect(locked.length).toBeGreaterThan(17);
  const versionOf = (at: string): string =>
    (JSON.parse(readFileSync(path.join(installed, at, 'package.json'), 'utf8')) as { version: string }).version;
  expect(locked.map(([at]) => [at, versionOf(at)])).toEqual(locked.map(([at, { version }]) => [at, version]));
});

test('the installed program says its version and runs the demo', () => {
  const run = (...args: string[]): string =>
    execFileSync(path.join(clean, 'node_modules/.bin/orch'), args, {
      cwd: clean,
      env: { PATH: process.env['PATH'], HOME: clean, LANG: 'C.UTF-8' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
  expect(run('--version')).toBe(`${version}\n`);
  expect(run('demo', '--limit', '300')).toContain('ET-001 went from a Plane work item to a merged pull request');
});
