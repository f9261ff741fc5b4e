// The rank table of docs/architecture.md, enforced: a room imports only from lower ranks, peers never import each other.
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
