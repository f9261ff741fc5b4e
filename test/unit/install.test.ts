import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

interface LockEntry {
  integrity?: string;
  resolved?: string;
  libc?: string[];
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}
const entries = (
  JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockEntry> }
).packages;

/** Whether Node.js, asked from a package's folder, would find another package where the lock file puts it. */
function isLocked(from: string, name: string): boolean {
  for (
    let folder = from;
    folder !== '';
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))
  ) {
    if (entries[`${folder}/node_modules/${name}`] !== undefined) return true;
  }
  return entries[`node_modules/${name}`] !== undefined;
}

test('the lock file has every package that one of its packages names, those for other platforms included', () => {
  const missing = Object.entries(entries).flatMap(([folder, entry]) =>
    Object.keys({ ...entry.dependencies, ...entry.devDependencies, ...entry.optionalDependencies })
      .filter((name) => !isLocked(folder, name))
      .map((name) => `${folder}: ${name}`),
  );
  expect(missing).toEqual([]);
});

test('every locked package has a checksum, and no registry or C library that one npm writes and another deletes', () => {
  const packages = Object.entries(entries).filter(([folder]) => folder !== '');
  expect(packages.length).toBeGreaterThan(100);
  expect(packages.filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
  expect(packages.filter(([, { resolved, libc }]) => resolved !== undefined || libc !== undefined)).toEqual([]);
});

test('the build removes a file of dist whose source is gone', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-build-'));
  try {
    for (const file of ['package.json', 'scripts/build.js']) {
      cpSync(path.join(root, file), path.join(folder, file));
    }
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    for (const sub of ['src', 'dist/core']) mkdirSync(path.join(folder, sub), { recursive: true });
    writeFileSync(path.join(folder, 'src/cli.ts'), 'export const answer: number = Number(process.env.ANSWER);\n');
    writeFileSync(path.join(folder, 'src/first.sql'), 'SELECT 1;\n');
    writeFileSync(path.join(folder, 'dist/core/planted.js'), 'throw new Error("stale");\n');
    execFileSync(process.execPath, ['scripts/build.js'], { cwd: folder });
    const answer = ['-p', "require('./dist/cli.cjs').answer"];
    expect(execFileSync(process.execPath, answer, { cwd: folder, env: { ANSWER: '42' }, encoding: 'utf8' })).toBe(
      '42\n',
    );
    expect(existsSync(path.join(folder, 'dist/first.sql'))).toBe(true);
    expect(existsSync(path.join(folder, 'dist/core'))).toBe(false);
    execFileSync(process.execPath, ['scripts/build.js', '--clean'], { cwd: folder });
    expect(existsSync(path.join(folder, 'dist'))).toBe(false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
