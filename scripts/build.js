// Compiles src/ to an empty dist/ and copies the files that are not TypeScript (SQL migrations, the supervisor script) next to
// the code that reads them. --clean only empties dist/; --pack also prepares what `npm pack` puts into the tarball.
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');

// A file whose source is gone would be loaded, and packed, as if it belonged to the program.
rmSync(dist, { recursive: true, force: true });
if (process.argv.includes('--clean')) process.exit(0);

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
execFileSync(process.execPath, [tsc, '-p', path.join(root, 'tsconfig.build.json')], { stdio: 'inherit', cwd: root });

for (const relative of readdirSync(path.join(root, 'src'), { recursive: true })) {
  const source = path.join(root, 'src', relative);
  if (!statSync(source).isFile() || !/\.(sql|sh)$/.test(relative)) continue;
  cpSync(source, path.join(dist, relative));
}

if (process.argv.includes('--pack')) {
  // A list of names, not `true`: dependency-cruiser reads only a list.
  const { dependencies, bundleDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const missing = Object.keys(dependencies).filter((name) => !bundleDependencies.includes(name));
  if (missing.length > 0) throw new Error(`bundleDependencies of package.json lacks ${missing.join(', ')}`);
  // npm's cache of what node_modules holds does not record the `files` of a package. With it, npm packs everything that lies in a
  // bundled package's folder, also what was compiled for this machine; without it, npm reads each package.json. npm writes it again.
  rmSync(path.join(root, 'node_modules/.package-lock.json'), { force: true });
}
