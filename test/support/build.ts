import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';

const root = path.resolve(import.meta.dirname, '../..');
const src = path.join(root, 'src');
const parts = path.join(root, 'node_modules/.cache/orch-parts');

/**
 * A program of the build.
 * @param file path of its source below the repository's root, such as `src/sandbox/agent/scripted-agent.ts`
 */
export function builtProgram(file: string): string {
  return path.join(root, 'dist', path.relative('src', file).replace(/\.ts$/, '.cjs'));
}

/**
 * One module as JavaScript, for a process that a test starts. Nothing is translated in the process of a test: the compiler would
 * take 100 MB of it, and every process that it starts costs time in proportion to its memory.
 * @param file path of the source below the repository's root, such as `src/core/store/open.ts`; one of `partsOfTests`
 */
export function builtPart(file: string): string {
  return path.join(parts, path.relative('src', file).replace(/\.ts$/, '.js'));
}

/** What tests run in processes of their own, with all that it imports. */
const partsOfTests = [
  'launcher/launcher',
  'peers/plane/plane',
  'platform/clock',
  'platform/log',
  'platform/redact',
  'store/open',
  'store/sqlite/migrate',
];

/** Before the first test (`globalSetup`): builds what is older than the newest file of src/. */
export default async function buildWhenOld(): Promise<void> {
  const names = readdirSync(src, { recursive: true, encoding: 'utf8' });
  const newest = Math.max(...[src, ...names.map((name) => path.join(src, name))].map((file) => statSync(file).mtimeMs));
  const isOld = (file: string): boolean => !existsSync(file) || statSync(file).mtimeMs < newest;
  if (isOld(builtProgram('src/cli.ts')))
    execFileSync(process.execPath, [path.join(root, 'scripts/build.js')], { stdio: 'inherit' });
  if (isOld(path.join(parts, 'package.json'))) await buildParts(names);
}

/** Module by module: a test asks for functions that the bundle does not show. */
async function buildParts(names: string[]): Promise<void> {
  rmSync(parts, { recursive: true, force: true });
  const bundle = await rolldown({
    input: partsOfTests.map((name) => path.join(src, `core/${name}.ts`)),
    cwd: root,
    platform: 'node',
    external: /^[^./]/,
  });
  await bundle.write({ dir: parts, format: 'esm', preserveModules: true, preserveModulesRoot: src });
  for (const name of names) if (/\.(sql|sh)$/.test(name)) cpSync(path.join(src, name), path.join(parts, name));
  writeFileSync(path.join(parts, 'package.json'), '{ "type": "module" }\n');
}
