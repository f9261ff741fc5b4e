// Bundles src/ into an empty dist/ and copies the files that are not TypeScript (SQL migrations, the supervisor script) next to it,
// at the same place below it. --clean only empties dist/; --pack also prepares what `npm pack` puts into the tarball.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
const src = path.join(root, 'src');

// A file whose source is gone would be loaded, and packed, as if it belonged to the program.
rmSync(dist, { recursive: true, force: true });
if (process.argv.includes('--clean')) process.exit(0);

const files = readdirSync(src, { recursive: true })
  .filter((name) => statSync(path.join(src, name)).isFile())
  .sort();

/** Programs that are started by themselves. */
const entries = ['cli.ts', 'sandbox/agent/scripted-agent.ts'].filter((name) => existsSync(path.join(src, name)));

/**
 * Packages and modules of Node.js that are slow to load and that most commands do not need: they are loaded when one of their
 * functions is called for the first time. None of them does anything when it is loaded that others would notice.
 */
const slowPackages = ['yaml', 'htmlparser2', '@sindresorhus/slugify', 'string-width', 'pino', 'execa', 'got', 'zod'];
const slowBuiltins = ['child_process', 'crypto', 'http', 'https', 'net', 'tls'];
const groupName = (name) => `lazy-${name.replace(/^@.*\//, '')}`;

/** What is loaded together is one file: opening a file takes longer than reading a little too much of it. */
const groups = [
  ...slowPackages.map((name, i) => ({
    name: groupName(name),
    test: new RegExp(`/node_modules/${name}/`),
    priority: 90 - i,
  })),
  // Every command; those that look at the database; those that do something.
  { name: 'base', test: /\/src\/cli\.ts$/, priority: 30 },
  {
    name: 'look',
    test: /\/src\/(core\/store\/open|core\/config\/(load|database)|core\/platform\/clock|commands\/shared\/(open|tasks|task-facts|overview)|commands\/(status|why)\/[\w-]+)\.ts$/,
    priority: 20,
  },
  { name: 'work', test: /\/src\/(app|commands\/(enqueue\/[\w-]+|shared\/follow-up))\.ts$/, priority: 10 },
];

const slow = new RegExp(
  `^(\\s*(?:const|let|var) \\w+ = )(require\\("(?:(?:node:)?(?:${slowBuiltins.join('|')})|\\./lazy-[^"]*)"\\)|require_lazy_\\w+\\.require_\\w+\\(\\));`,
  'gm',
);
const lazily = `
function lazily(load) {
	return new Proxy({}, { get: (_, key) => load()[key], has: (_, key) => key in load() });
}
`;

const plugin = {
  name: 'orch',
  transform(code, id) {
    if (!id.startsWith(`${src}/`) || !code.includes('import.meta.dirname')) return null;
    const folder = path.relative(src, path.dirname(id));
    return { code: code.replaceAll('import.meta.dirname', `(__dirname + ${JSON.stringify(`/${folder}`)})`), map: null };
  },
  renderChunk(code, chunk) {
    // A module with its default: inherited, not copied property by property.
    const light = code.replace(
      /^(\w+) = \w+\.__toESM\(\1, 1\);$/gm,
      '$1 = Object.create($1, { default: { value: $1 } });',
    );
    const out = chunk.name.startsWith('lazy-') ? light : light.replace(slow, '$1lazily(() => $2);');
    return { code: out === light ? light : out + lazily, map: null };
  },
};

const hash = createHash('sha256');
for (const name of files) hash.update(`${name}\0`).update(readFileSync(path.join(src, name)));
const build = hash.digest('hex').slice(0, 32);

for (const name of entries) {
  const bundle = await rolldown({
    input: path.join(src, name),
    cwd: root,
    platform: 'node',
    // Compiled for this machine; and what cosmiconfig loads for a configuration in TypeScript, which orch does not read.
    external: ['better-sqlite3', 'typescript'],
    transform: { define: { ORCH_BUILD: JSON.stringify(build) } },
    plugins: [plugin],
    // A module that is asked for when it is needed may lie in a file that is loaded already.
    checks: { ineffectiveDynamicImport: false },
  });
  const file = name.replace(/\.ts$/, '.cjs');
  await bundle.write({
    dir: path.join(dist, path.dirname(file)),
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    comments: { legal: true, annotation: false, jsdoc: false },
    codeSplitting: { groups },
  });
}

for (const name of files) if (/\.(sql|sh)$/.test(name)) cpSync(path.join(src, name), path.join(dist, name));

if (process.argv.includes('--pack')) {
  // A list of names, not `true`: dependency-cruiser reads only a list.
  const { dependencies, bundleDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const missing = Object.keys(dependencies).filter((name) => !bundleDependencies.includes(name));
  if (missing.length > 0) throw new Error(`bundleDependencies of package.json lacks ${missing.join(', ')}`);
  // npm's cache of what node_modules holds does not record the `files` of a package. With it, npm packs everything that lies in a
  // bundled package's folder, also what was compiled for this machine; without it, npm reads each package.json. npm writes it again.
  rmSync(path.join(root, 'node_modules/.package-lock.json'), { force: true });
}
