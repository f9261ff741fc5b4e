// The ranks of the rooms, enforced: a room imports only from lower ranks, peers never import each other.
const ranks = [
  ['src/core/model'],
  ['src/core/pipeline', 'src/core/queue', 'src/core/platform'],
  ['src/core/store', 'src/core/peers', 'src/core/git', 'src/core/config'],
  ['src/core/launcher'],
  ['src/core/engine'],
  ['src/core/worker', 'src/pollers'],
  ['src/ui', 'src/sandbox'],
  ['src/parts.ts'],
  ['src/app.ts'],
  ['src/commands'],
  ['src/session.ts'],
  ['src/cli.ts', 'bin'],
  ['scripts'],
];

const forbidden = [{ name: 'no-circular', severity: 'error', from: {}, to: { circular: true } }];
ranks.forEach((rooms, rank) => {
  for (const room of rooms) {
    const higher = ranks.slice(rank + 1).flat();
    const peers = rooms.filter((other) => other !== room);
    const banned = [...higher, ...peers];
    if (banned.length > 0) {
      forbidden.push({
        name: `rank-of-${room.replaceAll('/', '-')}`,
        severity: 'error',
        from: { path: `^${room.replaceAll('.', '\\.')}(/|$)` },
        to: { path: `^(${banned.map((b) => b.replaceAll('.', '\\.')).join('|')})(/|$)` },
      });
    }
  }
});
forbidden.push(
  {
    name: 'peers-apart-plane',
    severity: 'error',
    from: { path: '^src/core/peers/plane' },
    to: { path: '^src/core/peers/(gitea|telegram)' },
  },
  {
    name: 'peers-apart-gitea',
    severity: 'error',
    from: { path: '^src/core/peers/gitea' },
    to: { path: '^src/core/peers/(plane|telegram)' },
  },
);

// Which room may import which package. One that is not listed may not be imported at all.
const packages = {
  '@commander-js/extra-typings': ['src/cli.ts', 'src/session.ts', 'src/commands'],
  'better-sqlite3': ['src/core/store/sqlite'],
  chalk: ['src/ui'],
  ora: ['src/ui'],
  'string-width': ['src/ui'],
  // The configuration checks a schedule with the parser of the poller that follows it.
  'node-cron': ['src/pollers', 'src/core/config'],
  execa: ['src/core/git', 'src/core/platform', 'src/core/launcher'],
  cosmiconfig: ['src/core/config'],
  'jsonc-parser': ['src/core/config'],
  'fastest-levenshtein': ['src/core/config'],
  zod: ['src/core/config'],
  pino: ['src/core/platform'],
  got: ['src/core/peers'],
  'http-proxy-agent': ['src/core/peers'],
  'https-proxy-agent': ['src/core/peers'],
  'gitea-js': ['src/core/peers'],
  // Pure text: front matter, the text of a description, the name of a branch.
  yaml: ['src/core/pipeline'],
  htmlparser2: ['src/core/pipeline'],
  '@sindresorhus/slugify': ['src/core/pipeline'],
};
const escaped = (text) => text.replaceAll('.', '\\.');
for (const [name, rooms] of Object.entries(packages)) {
  forbidden.push({
    name: `package-${name}`,
    severity: 'error',
    from: { path: '^src/', pathNot: `^(${rooms.map(escaped).join('|')})(/|$)` },
    to: { path: `node_modules/(@types/)?${escaped(name)}/` },
  });
}
forbidden.push(
  {
    name: 'package-not-listed',
    severity: 'error',
    from: { path: '^src/' },
    to: { path: 'node_modules/', pathNot: `node_modules/(@types/)?(${Object.keys(packages).map(escaped).join('|')})/` },
  },
  {
    name: 'processes-are-started-in-few-rooms',
    severity: 'error',
    from: { path: '^src/', pathNot: '^src/(sandbox|core/(platform|launcher|git))/' },
    to: { path: '^(node:)?child_process$' },
  },
  {
    name: 'store-by-its-entrance',
    severity: 'error',
    from: { path: '^src/', pathNot: '^src/core/store/' },
    to: { path: '^src/core/store/', pathNot: '^src/core/store/open\\.ts$' },
  },
  {
    // The bodies of statements serve every driver: only the entrance knows which drivers there are.
    name: 'statements-know-no-driver',
    severity: 'error',
    from: { path: '^src/core/store/', pathNot: '^src/core/store/(open\\.ts$|sqlite/)' },
    to: { path: '^src/core/store/sqlite/|^(node:)?(fs|path)$' },
  },
);

module.exports = {
  forbidden,
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    // What the build writes: bin/orch.js imports it.
    exclude: { path: '^dist/' },
  },
};
