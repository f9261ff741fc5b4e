import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pull } from '../../src/sandbox/gitea/state.ts';
import { startCoding, type Coding } from '../support/coding.ts';
import { violations } from '../support/violations.ts';
import { violationsNow } from '../support/violations-queue.ts';

/* The crash tests are worth what this list can see: each of its checks is shown a world in which it must speak. */

const reviewerToken = 'a'.repeat(40);
let coding: Coding;
let database: string;

beforeAll(async () => {
  coding = await startCoding({
    stages: ['development', 'review', 'testing', 'deploy'],
    ci: () => 'success',
    env: { ORCH_GITEA_REVIEWER_TOKEN: reviewerToken },
    roles: { reviewer: [{ act: 'request-changes' }] },
    config: { caps: { dollars: 100 } },
  });
  coding.line.world.accounts.reviewer.tokens.push({ value: reviewerToken, scopes: ['all'] });
  await coding.reach('the end', (row) => row.task.stage === 'done');
  await coding.line.tick();
  database = path.join(coding.line.root, 'state', 'orch.db');
}, 240_000);
afterAll(() => coding.line.close());

/** A copy of the database, changed behind every constraint's back. */
function tampered(...statements: string[]): string {
  const file = path.join(coding.line.root, 'tampered.db');
  rmSync(file, { force: true });
  const whole = new Database(database);
  whole.exec(`VACUUM INTO '${file}'`);
  whole.close();
  const copy = new Database(file);
  copy.unsafeMode();
  copy.pragma('writable_schema = ON');
  copy.pragma('foreign_keys = OFF');
  copy.pragma('ignore_check_constraints = ON');
  for (const name of ['jobs_cause', 'jobs_live', 'jobs_branch', 'runs_open']) copy.exec(`DROP INDEX ${name}`);
  for (const statement of statements) copy.exec(statement);
  copy.close();
  return file;
}

it('finds nothing in a line that ran in peace', async () => {
  expect(await violations(coding.line.world, database)).toEqual([]);
  expect(await violations(coding.line.world, tampered())).toEqual([]);
  expect(violationsNow(database, 1)).toEqual([]);
  const torn = `UPDATE outbox SET state = 'dead', result = '{"reason":"torn"}' WHERE kind = 'forge.merge_pull'`;
  expect(await violations(coding.line.world, tampered(torn))).toEqual([]);
});

const first = (table: string): string => `id = (SELECT min(id) FROM ${table})`;
const open = `awake = 0, wake_at = NULL, stage = 'review'`;
const looseMessages = 'CREATE TABLE m AS SELECT * FROM messages; DROP TABLE messages; ALTER TABLE m RENAME TO messages';

const inDatabase: [expected: RegExp, ...sql: string[]][] = [
  [
    /integrity_check failed/,
    `UPDATE sqlite_master SET sql = replace(sql, '''delayed''', '''done''') WHERE name = 'jobs_delayed'`,
  ],
  [/a row of visits points at no row of tasks/, `UPDATE visits SET task_id = 'ET-999' WHERE n = 1`],
  [/message \d+ is not handled/, `UPDATE messages SET handled_at = NULL WHERE ${first('messages')}`],
  [/handled before an older one/, `UPDATE messages SET handled_at = 9e15 WHERE ${first('messages')}`],
  [/came twice/, looseMessages, `INSERT INTO messages SELECT * FROM messages LIMIT 1`],
  [/version \d+ follows \d+/, 'UPDATE decisions SET version = version + 1 WHERE id = (SELECT max(id) FROM decisions)'],
  [/begins in testing, not in/, `UPDATE decisions SET from_stage = 'testing', to_stage = 'testing' WHERE id = 2`],
  [/is no edge/, `UPDATE decisions SET to_stage = 'deploy' WHERE from_stage = 'development' AND to_stage = 'review'`],
  [/names nothing that it judged/, `UPDATE decisions SET why = json_set(why, '$.evidence', json('{}'))`],
  [/has version \d+ and \d+ decisions/, 'UPDATE tasks SET version = version + 1'],
  [/is in cancelled, its last decision led to done/, `UPDATE tasks SET stage = 'cancelled'`],
  [/9 developer reruns/, `UPDATE tasks SET counters = json_set(counters, '$.developerReruns', 9)`],
  [/from before first contact/, 'UPDATE projects SET first_number = 999'],
  [/of no registered project/, `UPDATE tasks SET project_id = 'x'`],
  [/nothing will move it/, `UPDATE tasks SET hold = NULL, ${open}`],
  [/says too little/, `UPDATE tasks SET hold = '{"cause":"ci","owner":"","clearedBy":""}', ${open}`],
  [/effect .* is pending/, `UPDATE outbox SET state = 'pending' WHERE ${first('outbox')}`],
  [/only a state and what was refused may be/, `UPDATE outbox SET state = 'superseded' WHERE kind = 'tracker.comment'`],
  [/was withdrawn/, `UPDATE outbox SET state = 'withdrawn' WHERE kind = 'tracker.comment'`],
  [/belongs to no decision/, `UPDATE outbox SET key = 'ET-001/999/x' WHERE kind = 'forge.merge_pull'`],
  [/run \d+ is still running/, `UPDATE runs SET phase = 'running' WHERE ${first('runs')}`],
  [/ran at one time/, `UPDATE runs SET ended_at = ended_at + 1000000 WHERE ${first('runs')}`],
  [/is try 7 of job/, `UPDATE runs SET attempt = 7 WHERE ${first('runs')}`],
  [/does not rise/, `UPDATE runs SET lease_token = 0 WHERE ${first('runs')}`],
  [/above the cap of runs/, 'UPDATE jobs SET run_cap = 1'],
  [/counts 1 runs and had/, 'UPDATE tasks SET runs = 1'],
  [/has token 9, its last run 1/, `UPDATE jobs SET lease_token = 9 WHERE ${first('jobs')}`],
  [/more than its budgets/, `UPDATE jobs SET transient = 7 WHERE ${first('jobs')}`],
  [/has the cause of another one/, `UPDATE jobs SET cause = 'x'`],
  [/lived at one time/, `UPDATE jobs SET finished_at = finished_at + 1000000 WHERE ${first('jobs')}`],
  [/notified ET-001 0 times/, `DELETE FROM messages WHERE source_key LIKE 'run:%'`],
  [/reserves 5, its runs 0/, 'UPDATE tasks SET reserved_micros = 5'],
  [/spent 7, its runs/, 'UPDATE tasks SET spent_micros = 7'],
  [/above its cost cap/, 'UPDATE jobs SET cost_cap_micros = 0', 'UPDATE tasks SET reserved_micros = 5'],
  [/was begun 0 times/, `UPDATE tasks SET item_id = 'x'`],
  [/orch recorded [0-9a-f]{40}/, 'UPDATE runs SET published_sha = NULL'],
  [/is recorded as sent and does not stand/, `UPDATE outbox SET key = key || 'x' WHERE kind = 'tracker.comment'`],
  [/comment .* belongs to no effect/, `DELETE FROM outbox WHERE kind = 'tracker.comment'`],
  [/pull request #\d+ belongs to no effect/, `DELETE FROM outbox WHERE kind = 'forge.open_pull'`],
  [/has no pull request/, `UPDATE outbox SET body = json_set(body, '$.branch', 'x') WHERE kind = 'forge.open_pull'`],
  [/recorded as 123/, `UPDATE outbox SET result = '{"mergedSha":"123"}' WHERE kind = 'forge.merge_pull'`],
  [/is 0 times on main/, `UPDATE outbox SET body = json_set(body, '$.marker', 'x') WHERE kind = 'forge.merge_pull'`],
  [/not of its proven head/, `UPDATE outbox SET body = json_set(body, '$.head', 'x') WHERE kind = 'forge.merge_pull'`],
  [/merge .* belongs to no effect/, `DELETE FROM outbox WHERE kind = 'forge.merge_pull'`],
  [/was merged unasked/, `DELETE FROM outbox WHERE kind = 'forge.merge_pull'`],
  [/chat messages for 0 tries/, `DELETE FROM outbox WHERE kind = 'chat.message'`],
  [/published is not on the server/, `UPDATE runs SET published_sha = '${'1'.repeat(40)}' WHERE ${first('runs')}`],
];

describe('in a database that was tampered with', () => {
  it.each(inDatabase)('finds %s', async (expected, ...sql) => {
    expect((await violations(coding.line.world, tampered(...sql))).join('\n')).toMatch(expected);
  });

  it('finds at every instant what may not be for a moment', () => {
    const slots = tampered(`UPDATE runs SET phase = 'running' WHERE id < 3`);
    expect(violationsNow(slots, 1).join()).toMatch(/2 runs at one time/);
    expect(violationsNow(slots, 2)).toEqual([]);
    expect(violationsNow(tampered(`UPDATE jobs SET state = 'running' WHERE id < 3`), 9)).toHaveLength(2);
  });
});

type Undo = () => void | Promise<void>;

/** Changes of the world outside; each answers how to undo it. */
const outside: [expected: RegExp, change: () => Undo | Promise<Undo>][] = [
  [
    /stands twice/,
    () =>
      again(
        coding.line.world.plane.state.comments.filter((row) => row.externalSource === 'orch'),
        coding.line.world.plane.state.comments,
      ),
  ],
  [
    /written twice in a row/,
    () => again(coding.line.world.plane.state.stateWrites, coding.line.world.plane.state.stateWrites),
  ],
  [
    /has 2 pull requests/,
    () => {
      const { pulls } = coding.line.world.repo;
      for (const number of [98, 99]) pulls.push({ ...(pulls[0] as Pull), number, merged: null });
      return () => void pulls.splice(-2);
    },
  ],
  [
    /a review of orch-reviewer twice/,
    () => {
      const reviews = coding.line.world.repo.pulls[0]?.reviews ?? [];
      return again(reviews, reviews);
    },
  ],
  [
    /chat messages for \d+ tries/,
    () => {
      const { messages } = coding.line.world.telegram;
      const before = messages.length;
      for (let n = 0; n < 50; n += 1) messages.push({ id: 1000 + n, chatId: '1', text: 'x', parseMode: null });
      return () => void messages.splice(before);
    },
  ],
  [
    /holds changes that are nowhere else/,
    () => {
      const file = path.join(workspace(), 'left-behind.txt');
      writeFileSync(file, 'work\n');
      return () => rmSync(file);
    },
  ],
  [
    /has commits that are not on the server/,
    () => {
      const git = (...args: string[]): unknown =>
        execFileSync('git', ['-C', workspace(), ...args], { stdio: 'ignore' });
      git('-c', 'user.name=x', '-c', 'user.email=x@y.z', 'commit', '--allow-empty', '-m', 'left behind');
      return () => void git('reset', '--hard', 'HEAD^');
    },
  ],
  [
    /has two commits on feature/,
    async () => {
      const { gitea, repo, accounts } = coding.line.world;
      const branch = await coding.branch();
      const head = await coding.head();
      for (const n of [1, 2])
        await gitea.pushFile(repo, branch, { 'x.txt': `${n}\n` }, 'feat: x\n\nOrch-Run: 77\n', accounts.owner);
      return () => gitea.forcePush(repo, branch, head, accounts.owner);
    },
  ],
];

/** Repeats the last of some rows at the end of their table. */
function again<T extends object>(rows: T[], table: T[]): () => void {
  const last = rows.at(-1);
  if (last === undefined) throw new Error('there is nothing to repeat');
  table.push({ ...last });
  return () => void table.pop();
}

function workspace(): string {
  const db = new Database(database, { readonly: true });
  const row = db.prepare('SELECT workspace FROM runs ORDER BY id DESC LIMIT 1').get() as { workspace: string };
  db.close();
  return row.workspace;
}

describe('in a world that was tampered with', () => {
  it.each(outside)('finds %s', async (expected, change) => {
    const undo = await change();
    expect((await violations(coding.line.world, database)).join('\n')).toMatch(expected);
    await undo();
    expect(await violations(coding.line.world, database)).toEqual([]);
  });
});
