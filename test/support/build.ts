import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * A file of the built program. Nothing is translated in the process of a test: the compiler would take 100 MB of it, and every
 * process that it starts costs time in proportion to its memory.
 * @param file path of the source below the repository's root, such as `src/sandbox/agent/scripted-agent.ts`
 */
export function builtFile(file: string): string {
  return path.join(root, 'dist', path.relative('src', file).replace(/\.ts$/, '.js'));
}

/** Before the first test (`globalSetup`): builds when something in src/ is newer than the program in dist/. */
export default function buildWhenOld(): void {
  const program = builtFile('src/cli.ts');
  const builtAt = existsSync(program) ? statSync(program).mtimeMs : 0;
  const src = path.join(root, 'src');
  const sources = [src, ...readdirSync(src, { recursive: true, encoding: 'utf8' }).map((name) => path.join(src, name))];
  if (sources.every((file) => statSync(file).mtimeMs <= builtAt)) return;
  execFileSync(process.execPath, [path.join(root, 'scripts/build.js')], { stdio: 'inherit' });
}
