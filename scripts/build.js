// Compiles src/ to dist/ and copies the files that are not TypeScript (SQL migrations, the supervisor script) beside the code that reads them.
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');

if (process.argv.includes('--clean')) {
  rmSync(dist, { recursive: true, force: true });
  process.exit(0);
}

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
execFileSync(process.execPath, [tsc, '-p', path.join(root, 'tsconfig.build.json')], { stdio: 'inherit', cwd: root });

for (const relative of readdirSync(path.join(root, 'src'), { recursive: true })) {
  const source = path.join(root, 'src', relative);
  if (!statSync(source).isFile() || !/\.(sql|sh)$/.test(relative)) continue;
  cpSync(source, path.join(dist, relative));
}
