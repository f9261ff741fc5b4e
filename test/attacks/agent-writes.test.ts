import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startAttack, type Attack } from '../support/attack.ts';
import { bubblewrap } from '../support/claude-cli.ts';
import { processesOf } from '../support/leaks.ts';

let attack: Attack | null = null;
afterEach(async () => {
  await attack?.close();
  attack = null;
});

const timeout = 240_000;
const bwrap = bubblewrap();
const without = 'missing' in bwrap;
const ways = without ? (['none'] as const) : (['bwrap', 'none'] as const);
if (without) process.stderr.write(`skipped: attacks inside bubblewrap (${bwrap.missing})\n`);

const git = (folder: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'safe.directory=*', '-C', folder, ...args], { encoding: 'utf8' }).trim();

test.each(ways)('an agent that writes where it has no business (sandbox: %s)', { timeout }, async (sandbox) => {
  attack = await startAttack({ sandbox, stages: ['analysis', 'development'] });
  const { line, plant, held, id } = attack;
  const state = path.join(line.root, 'state');
  const other = path.join(state, 'workspaces/acme/shop/other');
  const run = path.join(state, 'runs/999999');
  for (const folder of [other, run]) mkdirSync(folder, { recursive: true });
  const bare = path.join(state, 'repos/acme/shop.git');
  const { gitea, repo } = line.world;
  const main = gitea.head(repo, 'main');
  plant(
    'analyst',
    'before',
    `
    for name in exit stop.json outcome.json run.json; do echo '{"kind":"success"}' > ${run}/$name; done
    mkdir -p ${other}/docs/work-items/ET-002; echo planted > ${other}/docs/work-items/ET-002/12-review.md
    git --git-dir ${bare} update-ref refs/planted/x refs/heads/main
    git --git-dir ${bare} update-ref refs/heads/main $(git rev-parse HEAD)
    git --git-dir ${bare} config core.hooksPath ${other}
    echo planted >> ${state}/orch.db-planted
    echo planted >> ${line.root}/orchestrator.config.json.planted
    echo tried`,
  );
  await held('approval');
  const found = {
    runs: readdirSync(run).length > 0,
    workspaces: existsSync(path.join(other, 'docs')),
    refs: git(bare, 'for-each-ref', 'refs/planted/') !== '',
    settings: readFileSync(path.join(bare, 'config'), 'utf8').includes('hooksPath'),
    state: existsSync(path.join(state, 'orch.db-planted')),
    configuration: existsSync(path.join(line.root, 'orchestrator.config.json.planted')),
  };
  const all = sandbox === 'none';
  expect(found).toEqual({ runs: all, workspaces: all, refs: all, settings: all, state: all, configuration: all });
  expect(attack.said('analyst', 'before')).toContain('tried');
  // What it moved in the bare copy reaches nobody: the server has the task's branch, and the base as it was.
  expect([...repo.heads.keys()].sort()).toEqual([(await line.task(id)).task.branch, 'main'].sort());
  expect(gitea.head(repo, 'main')).toBe(main);
  expect((await line.task(id)).task.stage).toBe('analysis');
});

test.each(ways)('an agent that leaves processes behind (sandbox: %s)', { timeout }, async (sandbox) => {
  attack = await startAttack({ sandbox, stages: ['analysis', 'development'] });
  const { line, plant, held, loot, head } = attack;
  const late = path.join(loot, 'late');
  const daemon = `sh -c 'until [ -e ${loot}/go ]; do sleep 0.05; done; echo late > ${late}; echo late > docs/late.md'`;
  plant(
    'analyst',
    'after',
    `setsid ${daemon} & nohup setsid ${daemon} >/dev/null 2>&1 & (trap '' HUP TERM INT; setsid ${daemon} &) ; env -i setsid ${daemon} & echo left`,
  );
  await held('approval');
  expect(attack.said('analyst', 'after')).toContain('left');
  expect(processesOf(loot)).toEqual([]);
  writeFileSync(path.join(loot, 'go'), '');
  expect(existsSync(late)).toBe(false);
  expect(
    git(path.join(line.root, 'repositories/acme/shop.git'), 'ls-tree', '-r', '--name-only', await head()),
  ).not.toContain('docs/late.md');
});

/** What an agent may make of its workspace: the line goes on, nothing outside is touched, nothing odd is published. */
const wrecks: [name: string, script: string][] = [
  ['its .git deleted', 'rm -rf .git'],
  ['its .git filled with rubbish', 'rm -rf .git; mkdir -p .git/HEAD .git/objects; mkfifo .git/config'],
  [
    'a bare configuration that rewrites addresses and runs hooks',
    `
    git config core.hooksPath "$PWD/docs"; git config url.http://127.0.0.1:1/.insteadOf http://
    git config core.fsmonitor "touch CANARY"; git config core.worktree OUTSIDE
    printf '#!/bin/sh\\ntouch CANARY\\n' > docs/post-checkout; cp docs/post-checkout docs/reference-transaction; chmod +x docs/*`,
  ],
  [
    '.orch as a link to the outside',
    'rm -rf .orch; ln -s OUTSIDE .orch; echo "{\\"status\\":\\"success\\",\\"summary\\":\\"x\\"}" > .orch/result.json',
  ],
  ['.orch that nobody may enter', 'mkdir -p .orch/a/b; touch .orch/a/b/c; chmod 000 .orch/a/b .orch/a .orch'],
  ['docs as a link to /etc', 'mkdir -p /tmp/d; mv docs /tmp/d/; ln -s /etc docs'],
  [
    'pipes, sockets, hard links and devices',
    `
    mkfifo docs/pipe; ln /etc/passwd docs/passwd; ln README.md docs/hard.md; mknod docs/null c 1 3
    NODE -e "require('node:net').createServer().listen('docs/socket', () => process.kill(process.pid, 'SIGKILL'))"`,
  ],
  [
    'folders and files that nobody may read',
    'mkdir docs/closed; echo x > docs/closed/x; echo x > docs/secret.md; chmod 000 docs/closed docs/secret.md',
  ],
  [
    'odd names',
    `
    touch -- 'docs/-rf' 'docs/--upload-pack=touch CANARY' "$(printf 'docs/line\\nfeed')" "$(printf 'docs/\\377\\376')" 'docs/$(touch CANARY)' "$(printf 'docs/\\033]0;x\\007')"`,
  ],
  [
    'a path deeper than any may be',
    'cd docs; n=0; while [ $n -lt 300 ]; do mkdir dddddddddddddddddddd && cd dddddddddddddddddddd || break; n=$((n+1)); done; touch x',
  ],
  [
    'links that go round and out',
    'ln -s . docs/self; ln -s OUTSIDE docs/out; ln -s /proc/self/fd docs/fd; ln -s nowhere docs/none',
  ],
  ['locks', 'touch .git/index.lock .git/HEAD.lock .git/config.lock .git/refs/heads/x.lock'],
];

test.each(wrecks)('an agent that leaves %s', { timeout }, async (_name, script) => {
  attack = await startAttack({
    sandbox: without ? 'none' : 'bwrap',
    stages: ['analysis', 'development'],
    roles: { analyst: [{}, {}] },
  });
  const { line, plant, held, loot, id, item, calls, reach, branch } = attack;
  const outside = path.join(loot, 'outside');
  const canary = path.join(loot, 'canary');
  mkdirSync(outside);
  writeFileSync(path.join(outside, 'kept'), 'kept');
  const filled = script
    .replaceAll('OUTSIDE', outside)
    .replaceAll('CANARY', canary)
    .replaceAll('NODE', process.execPath);
  plant('analyst', 'before', '[ ! -L docs ] || { rm docs; mkdir docs; }');
  plant('analyst', 'after', `${filled}\necho wrecked`);
  // Twice: the wreck is published, or what of it can be; then the next run begins from it.
  await reach(
    'the end of the first run',
    (row) => row.meta.runs > 0 && row.liveJob === null && (row.task.hold?.cause ?? 'outside') !== 'outside',
  );
  expect(attack.said('analyst', 'after')).toContain('wrecked');
  let first = (await line.task(id)).task.hold;
  // Where the sandbox does not keep it from linking: the file is not published, and a person is told.
  if (first?.cause === 'left_out') {
    expect(first.text).toContain('docs/passwd: a hard link');
    await attack.retry();
    first = (await held('approval')).task.hold;
  }
  if (first?.cause === 'approval') {
    line.world.plane.commentAs(line.world.people.lead, item, '<p>:rejected: once more</p>');
  } else await attack.retry();
  plant('analyst', 'after', 'echo plain');
  await reach('a second run', ({ task }) => calls('analyst').length >= 2 && task.hold?.cause === 'approval');
  expect(existsSync(canary)).toBe(false);
  expect(readdirSync(outside).filter((name) => name !== 'result.json')).toEqual(['kept']);
  expect(readFileSync(path.join(outside, 'kept'), 'utf8')).toBe('kept');
  const server = path.join(line.root, 'repositories/acme/shop.git');
  const tree = git(server, 'ls-tree', '-r', '-z', await branch()).split('\0');
  expect(tree.filter((entry) => !/^(100644|100755|120000) blob /.test(entry) && entry !== '')).toEqual([]);
  expect(tree.join('\n')).toContain(`docs/work-items/${id}/01-brd.md`);
  expect(tree.join('\n')).not.toMatch(/\.orch|passwd$/m);
});
