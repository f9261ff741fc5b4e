import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EffectBody } from '../../src/core/model/index.ts';
import type { World } from '../../src/sandbox/world.ts';
import { cutOff, type Rows, type Say } from './violations.ts';

/** Invariants 4, 9 and 10 from outside: bare repositories, workspaces, and what the sandbox servers wrote down. */
export async function outsideViolations(world: World, rows: Rows, say: Say): Promise<void> {
  comments(world, rows, say);
  states(world, say);
  pulls(world, rows, say);
  answers(world, rows, say);
  chat(world, rows, say);
  branches(world, rows, say);
  merges(world, rows, say);
  work(world, rows, say);
  await Promise.resolve();
}

function git(dir: string, args: string[]): string {
  return execFileSync('git', ['-C', dir, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

function exists(dir: string, sha: string): boolean {
  try {
    git(dir, ['cat-file', '-e', `${sha}^{commit}`]);
    return true;
  } catch {
    return false;
  }
}

function isIn(dir: string, sha: string, heads: string[]): boolean {
  return heads.some((head) => {
    try {
      git(dir, ['merge-base', '--is-ancestor', sha, head]);
      return true;
    } catch {
      return false;
    }
  });
}

interface Sent {
  key: string;
  body: EffectBody;
  task_id: string | null;
  /** As it is stored, whatever the kind. */
  result: { number?: number; reason?: string; mergedSha?: string };
  attempts: number;
}

function sent({ all }: Rows, kind: EffectBody['kind']): Sent[] {
  return all<{ key: string; body: string; task_id: string | null; result: string | null; attempts: number }>(
    `SELECT key, body, task_id, result, attempts FROM outbox WHERE kind = ? AND (state = 'done' OR ${cutOff}) ORDER BY id`,
    kind,
  ).map((row) => ({
    ...row,
    body: JSON.parse(row.body) as EffectBody,
    result: JSON.parse(row.result ?? '{}') as Sent['result'],
  }));
}

/** Each comment stands once, under the key of its effect. */
function comments({ plane, people }: World, rows: Rows, say: Say): void {
  const mine = plane.state.comments.filter((comment) => comment.actor === people.bot.id);
  const wanted = new Set(sent(rows, 'tracker.comment').map((effect) => effect.key));
  const seen = new Set<string>();
  for (const { externalId, externalSource } of mine) {
    // Behind the identity of the database that wrote it.
    const key = externalSource === 'orch' ? (externalId ?? '').replace(/^[0-9a-f]{8}:/, '') : '';
    if (seen.has(key)) say(`comment ${key} stands twice`);
    if (!wanted.has(key)) say(`comment ${key} belongs to no effect`);
    seen.add(key);
  }
  for (const key of wanted) if (!seen.has(key)) say(`comment ${key} is recorded as sent and does not stand`);
}

/** A state is never written that orch wrote last, unless somebody changed it in between. */
function states({ plane, people }: World, say: Say): void {
  const last = new Map<string, { state: string; by: string }>();
  for (const write of plane.state.stateWrites) {
    const before = last.get(write.item);
    if (write.by === people.bot.id && before?.by === write.by && before.state === write.state)
      say(`state ${write.state} of item ${write.item} was written twice in a row`);
    last.set(write.item, write);
  }
}

/** What an agent answers stands once, and no draft of it is left. */
function answers({ repo, accounts }: World, rows: Rows, say: Say): void {
  const own = repo.pulls.flatMap((pull) => pull.reviews.filter((review) => review.user === accounts.bot.login));
  for (const { key } of sent(rows, 'forge.answer_threads')) {
    const found = own.filter(({ body }) => body.includes(`:${key} -->`)).length;
    if (found !== 1) say(`the answers ${key} stand ${found} times`);
  }
  for (const review of own) if (review.state === 'PENDING') say(`the draft ${review.id} was left`);
}

/** One pull request a branch, and no review twice. */
function pulls({ repo }: World, rows: Rows, say: Say): void {
  const merged = new Set(
    sent(rows, 'forge.merge_pull').map(({ body }) => (body.kind === 'forge.merge_pull' ? body.number : 0)),
  );
  const open = new Map<string, number>();
  for (const pull of repo.pulls) {
    // After a merge that failed to deploy, a branch gets another one.
    if (!merged.has(pull.number) || pull.merged === null) open.set(pull.head, (open.get(pull.head) ?? 0) + 1);
    const votes = new Set<string>();
    for (const { user, state, commit, body } of pull.reviews) {
      const vote = JSON.stringify([user, state, commit, body]);
      if (votes.has(vote)) say(`pull request #${pull.number} has a review of ${user} twice`);
      votes.add(vote);
    }
  }
  for (const [branch, count] of open) if (count > 1) say(`branch ${branch} has ${count} pull requests`);
  const rounds = new Map<string, number>();
  for (const pull of repo.pulls) rounds.set(pull.head, (rounds.get(pull.head) ?? 0) + 1);
  for (const { body } of sent(rows, 'forge.open_pull')) {
    if (body.kind === 'forge.open_pull' && !rounds.has(body.branch)) say(`branch ${body.branch} has no pull request`);
  }
  const asked = new Set(
    sent(rows, 'forge.open_pull').map(({ body, result }) => (body.kind === 'forge.open_pull' ? result.number : null)),
  );
  for (const pull of repo.pulls) if (!asked.has(pull.number)) say(`pull request #${pull.number} belongs to no effect`);
}

/** Information comes at most once, an alert at most as often as it was tried (spec 10). */
function chat({ telegram }: World, rows: Rows, say: Say): void {
  const most = sent(rows, 'chat.message')
    .map(({ body, attempts }) => (body.kind === 'chat.message' && body.alert ? attempts : 1))
    .reduce((sum, n) => sum + n, 0);
  if (telegram.messages.length > most) say(`${telegram.messages.length} chat messages for ${most} tries`);
}

interface Branch {
  id: string;
  branch: string;
  item_id: string;
  recorded: string | null;
}

/** Begun once; the head is what orch recorded; no run's work was committed twice. */
function branches({ repo }: World, { all }: Rows, say: Say): void {
  // Finished tasks are not polled any more: what was published last, or the commit that began the branch.
  const list = all<Branch>(`SELECT t.id, t.branch, t.item_id, coalesce(
      (SELECT published_sha FROM runs WHERE task_id = t.id AND published_sha IS NOT NULL ORDER BY id DESC LIMIT 1),
      (SELECT json_extract(result, '$.sha') FROM outbox WHERE task_id = t.id AND kind = 'git.start_branch')) AS recorded
    FROM tasks AS t`);
  for (const { id, branch, item_id: item, recorded } of list) {
    const head = repo.heads.get(branch);
    if (head === undefined) continue;
    if (head !== recorded) say(`branch ${branch} is at ${head}, orch recorded ${recorded ?? 'nothing'}`);
    const log = git(repo.dir, [
      'log',
      '--format=%(trailers:key=Orch-Run,valueonly,separator=%x2C)|%s|%(trailers:key=Orch-Item,valueonly,separator=%x2C)',
      head,
    ]);
    const runs = new Set<string>();
    let begun = 0;
    for (const line of log.split('\n')) {
      const [run = '', subject = '', of = ''] = line.split('|');
      if (of === item && subject.endsWith(': business request')) begun += 1;
      if (run !== '' && runs.has(run)) say(`run ${run} has two commits on ${branch}`);
      runs.add(run);
    }
    if (begun !== 1) say(`${id} was begun ${begun} times on ${branch}`);
  }
}

/** Every merge once, with its marker, on the base branch, of the head that was proven; and none that was not asked for. */
function merges({ repo, accounts }: World, rows: Rows, say: Say): void {
  const markers = git(repo.dir, ['log', '--format=%H|%P|%(trailers:key=Orch-Merge,valueonly,separator=%x2C)', 'main'])
    .split('\n')
    .map((line) => line.split('|'))
    .filter(([, , marker = '']) => marker !== '');
  const wanted = sent(rows, 'forge.merge_pull').flatMap(({ body, result }) =>
    body.kind === 'forge.merge_pull' ? [{ body, result }] : [],
  );
  for (const { body, result } of wanted) {
    const made = markers.filter(([, , marker]) => `Orch-Merge: ${marker ?? ''}` === body.marker);
    if (made.length !== 1) say(`merge ${body.marker} is ${made.length} times on ${body.baseBranch}`);
    const [sha = '', parents = ''] = made[0] ?? [];
    if (result.reason !== 'torn' && sha !== result.mergedSha)
      say(`merge ${body.marker} is ${sha}, recorded as ${result.mergedSha ?? ''}`);
    if (body.style === 'merge' && parents.split(' ')[1] !== body.head)
      say(`merge ${body.marker} is not of its proven head`);
  }
  const known = new Set(wanted.map(({ body }) => body.marker));
  for (const [sha = '', , marker = ''] of markers)
    if (!known.has(`Orch-Merge: ${marker}`)) say(`merge ${sha} (${marker}) belongs to no effect`);
  for (const pull of repo.pulls) {
    const byOrch = pull.merged?.by === accounts.bot.login;
    if (byOrch && !wanted.some(({ body }) => body.number === pull.number))
      say(`pull request #${pull.number} was merged unasked`);
  }
}

interface Work {
  id: number;
  workspace: string;
  published_sha: string | null;
  branch: string;
  task_id: string | null;
  hold: string | null;
}

/** Every commit of a settled run is on the server, or a hold names its task. */
function work({ repo }: World, { all }: Rows, say: Say): void {
  const list = all<Work>(`SELECT r.id, r.workspace, r.published_sha, j.branch, r.task_id, t.hold FROM runs AS r
    JOIN jobs AS j ON j.id = r.job_id LEFT JOIN tasks AS t ON t.id = r.task_id WHERE r.phase = 'settled' AND t.stage IS NOT 'cancelled' ORDER BY r.id`);
  const heads = [...repo.heads.values()];
  const places = new Map<string, { held: boolean; published: string[] }>();
  for (const run of list) {
    const published = run.published_sha;
    if (published !== null && !(exists(repo.dir, published) && isIn(repo.dir, published, heads)))
      say(`what run ${run.id} published is not on the server`);
    if (run.workspace === '' || !existsSync(run.workspace)) continue;
    const kept = places.get(run.workspace) ?? { held: run.hold !== null, published: [] };
    if (published !== null) kept.published.push(published);
    places.set(run.workspace, kept);
  }
  for (const [workspace, { held, published }] of places) {
    if (held) continue;
    const head = git(workspace, ['rev-parse', 'HEAD']);
    if (!exists(repo.dir, head)) say(`${workspace} has commits that are not on the server, and no hold says so`);
    if (![head, ...published].some((sha) => holdsOnly(repo.dir, workspace, sha)))
      say(`${workspace} holds changes that are nowhere else, and no hold says so`);
  }
}

/** Whether the files of a workspace are those of a commit. Its own HEAD stays behind: what is published is made elsewhere. */
function holdsOnly(dir: string, workspace: string, sha: string): boolean {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-index-'));
  const inIndex = (...args: string[]): string =>
    execFileSync('git', ['--git-dir', dir, '--work-tree', workspace, ...args], {
      cwd: workspace,
      encoding: 'utf8',
      env: { ...process.env, GIT_INDEX_FILE: path.join(folder, 'index') },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    inIndex('read-tree', sha);
    return inIndex('ls-files', '--modified', '--others', '--exclude-standard', '--exclude=/.orch/') === '';
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
