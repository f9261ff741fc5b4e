import { afterEach, expect, test } from 'vitest';
import type { TaskRow } from '../../src/core/model/index.ts';
import { isFinal } from '../../src/core/model/index.ts';
import type { Line } from '../support/line.ts';
import { violations } from '../support/violations.ts';
import { startOldLine } from '../support/old-line.ts';

// A database that version 0.1.0 left behind when its host lost power (test/fixtures/orch-0.1.0), with tasks wherever one can
// be, is opened by the program of today: every task that was not cancelled goes on to done.

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

const maxRounds = 60;

/** What happened before the upgrade and cannot have been otherwise. */
const history = [
  // The host's clock was set back by two hours just before the power went.
  /^message 13[89] was handled before an older one$/,
  /^jobs 34 and 67 of ET-017 lived at one time$/,
  // A person took these commits off the branch.
  /^what run 47 published is not on the server$/,
];

/** The people around the line: each hold of a task gets, once, what it asks for. */
function helpers(on: Line): (row: TaskRow) => Promise<void> {
  const done = new Set<string>();
  const order = (row: TaskRow, name: 'resume' | 'retry'): Promise<unknown> =>
    on.app.store.post({
      taskId: row.task.id,
      sourceKey: `command:test:${done.size}`,
      body: { kind: 'command', name, by: 'operator' },
    });
  const once = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    if (done.has(what)) return;
    done.add(what);
    await act();
  };
  return async (row) => {
    const { id, hold, paused } = row.task;
    if (paused) await once(`${id} paused`, () => order(row, 'resume'));
    if (hold === null) return;
    await once(`${id} ${hold.cause} ${hold.since}`, async () => {
      await answer(on, row);
      if (!hold.blocking) return;
      // The two steps of `orch retry`.
      await on.app.store.reviveEffects(id);
      await order(row, 'retry');
    });
  };
}

/** What a person does in Plane and Gitea before `orch retry`, or instead of it. */
async function answer({ world }: Line, { task }: TaskRow): Promise<void> {
  const { plane, gitea, repo, people, accounts } = world;
  const item = plane.state.items.find((one) => one.id === task.itemId);
  if (item === undefined) throw new Error(`the item of ${task.id} is gone`);
  switch (task.hold?.cause) {
    case 'approval':
      plane.commentAs(people.lead, item, '<p>:approved:</p>');
      return;
    case 'answers':
      plane.commentAs(people.lead, item, '<p>Only euros; per line.</p>');
      return;
    case 'intake_refused':
      plane.editItemAs(people.lead, item, {
        name: 'A discount for regular customers',
        description_html: '<p>Regular customers get a discount of ten percent on every cart.</p>',
      });
      return;
    case 'closed_by_hand':
      plane.moveAs(people.lead, item, 'In Progress');
      return;
    case 'ci':
    case 'ci_silent':
    case 'ci_stuck':
      gitea.setStatus(repo, gitea.head(repo, task.branch) ?? '', 'ci/test', 'success');
      return;
    case 'existing_branch':
      await gitea.deleteBranch(repo, task.branch, accounts.owner);
      return;
    default:
  }
}

async function journals(on: Line, rows: TaskRow[]): Promise<string> {
  const all = await Promise.all(rows.map(async ({ task }) => `${task.id} ${task.title}\n${await on.journal(task.id)}`));
  return all.join('\n\n');
}

test('every task of a database of version 0.1.0 goes on to done', { timeout: 1_200_000 }, async () => {
  line = await startOldLine();
  const { store } = line.app;
  const before = await store.tasks({});
  const open = before.filter(({ task }) => !isFinal(task.stage));
  expect(open.length).toBeGreaterThan(20);
  const help = helpers(line);
  for (let round = 0; round < maxRounds; round += 1) {
    await line.tick();
    await line.work();
    const left = await store.tasks({ active: true });
    if (left.length === 0) break;
    for (const row of left) await help(row);
  }
  await line.tick();
  const left = await store.tasks({ active: true });
  expect(
    left.map(({ task }) => `${task.id} ${task.title}`),
    await journals(line, left),
  ).toEqual([]);
  const ended = new Map((await store.tasks({})).map(({ task }) => [task.id, task.stage]));
  for (const { task } of before) expect(ended.get(task.id), task.title).toBe(isFinal(task.stage) ? task.stage : 'done');
  const { plane } = line.world;
  for (const { task } of open) {
    const item = plane.state.items.find((one) => one.id === task.itemId);
    expect(item === undefined ? 'gone' : plane.stateName(item), task.title).toBe('Done');
  }
  expect(await store.runningJobs(null)).toEqual([]);
  // Nothing is there twice.
  const keys = plane.state.comments.flatMap(({ externalId }) => externalId ?? []);
  expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
  expect((await store.effects({ state: 'pending', limit: 10 })).map(({ key }) => key)).toEqual([]);
  const broken = await violations(line.world, line.app.config.dbPath);
  expect(broken.filter((text) => !history.some((known) => known.test(text)))).toEqual([]);
});
