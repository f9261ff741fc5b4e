import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { readProcess } from '../../src/core/platform/processes.ts';
import { startLine, type Line } from '../support/line.ts';
import { planeSide, settled } from '../support/plane-side.ts';
import { until } from '../support/until.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

test('only a marker of a person who may approve counts, once, and for what was asked', async () => {
  line = await startLine({ script: { roles: {} } });
  const { plane, people } = line.world;
  const side = planeSide(line);
  await side.tick();
  const item = side.add('A discount for regular customers');
  await line.until('the request for approval', side.id(item), (row) => row.task.hold?.cause === 'approval');
  await side.tick();
  expect(side.shown(item)).toBe('In Review');
  expect(side.toldOf(item, 'Please read the analysis', ':approved:', '01-brd.md', '<a href=')).toHaveLength(1);
  const before = side.told(item).length;

  // None of these counts, and none is answered.
  side.say(people.guest, item, '<p>:approved:</p>');
  const lent = side.say(people.lead, item, '<p>I have a look tomorrow.</p>');
  side.rewrite(people.guest, lent, '<p>:approved:</p>');
  side.say(people.member, item, '<p>:approved: I am no approver of this project</p>');
  side.say(people.lead, item, '<p>orch wrote this with a shared token</p><p>:approved:</p>', {
    external_source: 'orch',
  });
  for (const html of [
    '<p>not :approved:</p>',
    '<p>:approved:ish</p>',
    '<p>x<code>:approved:</code></p>',
    '<pre><code>:approved:</code></pre>',
    '<blockquote><p>:approved:</p></blockquote><p>says who?</p>',
    '<p>&gt; :approved:</p>',
  ])
    side.say(people.lead, item, html);
  await side.tick(3);
  expect((await side.row(item)).task).toMatchObject({ stage: 'analysis', hold: { cause: 'approval' } });
  expect(side.told(item)).toHaveLength(before);

  // Both markers: the rejection wins, and its reason reaches the analyst.
  side.say(people.lead, item, '<p>:approved: the goal,</p><p>:rejected: but <b>coupons</b> are missing</p>');
  await side.tick(3);
  expect((await side.row(item)).liveJob).toMatchObject({ role: 'analyst', state: 'queued' });
  expect(side.toldOf(item, 'analyst runs again', 'rejected (1 of 3)', 'but coupons are missing')).toHaveLength(1);
  expect(side.shown(item)).toBe('In Progress');
  // Written before the new request, seen after it: told so, moves nothing.
  const early = side.say(people.lead, item, '<p>:approved: the old text was fine</p>');
  await settled(line);
  await line.work();
  await side.tick(3);
  const calls = side.calls(item, 'analyst');
  expect(calls).toHaveLength(2);
  expect(calls[1]?.orders).toContain('Rejected by Lead');
  expect(calls[1]?.orders).toContain('but coupons are missing');
  expect(side.toldOf(item, 'Please read the analysis')).toHaveLength(2);
  expect(side.toldOf(item, 'This approval does not count')).toHaveLength(1);
  expect((await side.row(item)).task).toMatchObject({ stage: 'analysis', hold: { cause: 'approval' } });
  side.rewrite(people.lead, early, '<p>:approved: the old text was really fine</p>');
  await side.tick(2);
  expect((await side.row(item)).task.stage).toBe('analysis');

  // The author sets the marker that a guest had faked; deleting the comment afterwards changes nothing.
  side.rewrite(people.lead, lent, '<p>:approved: now I have read it</p>');
  await side.tick(2);
  expect((await side.row(item)).task).toMatchObject({ stage: 'architecture', hold: null });
  expect(side.toldOf(item, 'analysis → architecture', 'By Lead')).toHaveLength(1);
  plane.deleteComment(lent);
  await side.tick(2);
  expect((await side.row(item)).liveJob).toMatchObject({ role: 'architect', state: 'queued' });

  // Nothing waits for an approval now: one answer that says what the task waits for.
  side.say(people.lead, item, '<p>:approved:</p>');
  await side.tick(5);
  expect(side.toldOf(item, 'Nothing waits for an approval', 'The task waits for: the architect')).toHaveLength(1);
  expect((await side.row(item)).task.stage).toBe('architecture');
  const keys = plane.commentsOf(item).flatMap((comment) => comment.externalId ?? []);
  expect(new Set(keys).size).toBe(keys.length);
}, 300_000);

test('a rejection stops the running agent, goes back one stage, and is held after three', async () => {
  const go = 'architect-may-go';
  line = await startLine({ script: { roles: { architect: [{ waitFor: go }] } } });
  const { people } = line.world;
  const { app } = line;
  const side = planeSide(line);
  await side.tick();
  const item = side.add('A discount for regular customers');
  const id = side.id(item);
  const asked = (what: string): Promise<unknown> =>
    line === null
      ? Promise.reject(new Error('closed'))
      : line.until(what, id, (row) => row.task.hold?.cause === 'approval' && row.liveJob === null);
  await asked('the first request');
  side.say(people.lead, item, '<p>:approved:</p>');
  await side.tick();

  const working = line.work();
  await until('the architect', () => side.calls(item, 'architect').length === 1);
  const [architect] = side.calls(item, 'architect');
  expect((await side.row(item)).run).toMatchObject({ role: 'architect' });
  side.say(people.lead, item, '<p>:rejected: the goal is wrong</p>');
  await side.tick(3);
  // Nothing of the next stage exists while the old agent lives.
  await working;
  await line.work();
  expect(readProcess(architect?.pid ?? 0)).toBeNull();
  expect(existsSync(path.join(architect?.cwd ?? '', go))).toBe(false);
  await asked('the second request');
  const analyst = side.calls(item, 'analyst');
  expect(analyst).toHaveLength(2);
  expect(analyst[1]?.orders).toContain('the goal is wrong');
  expect(side.toldOf(item, 'analyst runs again', 'rejected (1 of 3)', 'the goal is wrong')).toHaveLength(1);
  const runs = (await app.store.runs({ taskId: id, limit: 20 })).sort((a, b) => a.startedAt - b.startedAt);
  expect(runs.map((run) => `${run.role} ${run.outcome?.kind ?? ''}`)).toEqual([
    'analyst success',
    'architect cancelled',
    'analyst success',
  ]);
  for (const [n, run] of runs.slice(1).entries())
    expect(run.startedAt).toBeGreaterThanOrEqual(runs[n]?.endedAt ?? Number.NaN);

  for (const [reason, request] of [
    ['second reason', 'the third request'],
    ['third reason', 'the fourth request'],
  ] as const) {
    side.say(people.lead, item, `<p>:rejected: ${reason}</p>`);
    await side.tick();
    await asked(request);
  }
  side.say(people.lead, item, '<p>:rejected: fourth reason</p>');
  await side.tick(5);
  expect((await side.row(item)).task).toMatchObject({
    stage: 'analysis',
    hold: { cause: 'rejections', blocking: true },
  });
  expect((await side.row(item)).liveJob).toBeNull();
  expect(side.shown(item)).toBe('Blocked');
  expect(side.toldOf(item, 'Rejected too often', 'fourth reason', `orch retry ${id}`)).toHaveLength(1);
  await app.store.post({ taskId: id, sourceKey: 'command:1', body: { kind: 'command', name: 'retry', by: 'op' } });
  await side.tick();
  await asked('the fifth request');
  expect(
    side
      .calls(item, 'analyst')
      .map((call) => call.orders)
      .slice(1)
      .map((orders) =>
        ['the goal is wrong', 'second reason', 'third reason', 'fourth reason'].filter((reason) =>
          orders.includes(reason),
        ),
      ),
  ).toEqual([['the goal is wrong'], ['second reason'], ['third reason'], ['fourth reason']]);
  expect((await side.row(item)).task.counters.rejections).toBe(1);
}, 300_000);
