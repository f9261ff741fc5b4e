import { afterEach, expect, test } from 'vitest';
import { startLine, type Line } from '../support/line.ts';
import { planeSide } from '../support/plane-side.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

test('questions go to the work item, all answers of those who may approve go to the analyst, three rounds at most', async () => {
  const ask = { act: 'ask' } as const;
  line = await startLine({ script: { roles: { analyst: [ask, ask, ask, ask] } } });
  const { plane, people } = line.world;
  const side = planeSide(line);
  await side.tick();
  const item = side.add('A discount for regular customers');
  const id = side.id(item);
  side.say(people.lead, item, '<p>Written before any question.</p>');
  await line.until('the first questions', id, (row) => row.task.hold?.cause === 'answers');
  await side.tick(3);
  expect(side.noticesWith(item, 'The analyst asks (round 1 of 3)', 'Which currencies have to work?')).toHaveLength(1);
  expect(side.shown(item)).toBe('Needs Input');
  side.say(people.guest, item, '<p>Only roubles, says the guest.</p>');
  await side.tick(2);
  expect(side.calls(item, 'analyst')).toHaveLength(1);

  // Two comments and a moved card in one look: the answers count, the move alone is no reason for a run without them.
  side.say(people.lead, item, '<p>Euro &amp; dollar.</p>');
  side.say(people.lead, item, '<p>Rounding is per <b>order</b>.</p>');
  plane.moveAs(people.lead, item, 'In Progress');
  await side.tick();
  await line.work();
  const [, second] = side.calls(item, 'analyst');
  expect(second?.orders).toContain('Which currencies have to work?');
  expect(second?.orders).toContain('Euro & dollar.');
  expect(second?.orders).toContain('Rounding is per **order**.');
  expect(second?.orders).not.toContain('roubles');
  expect(second?.orders).not.toContain('Written before any question');
  for (const round of [2, 3]) {
    await side.tick(2);
    expect(side.noticesWith(item, `The analyst asks (round ${round} of 3)`)).toHaveLength(1);
    side.say(people.lead, item, `<p>Answer of round ${round}.</p>`);
    await side.tick();
    await line.work();
    expect(side.calls(item, 'analyst')[round]?.orders).toContain(`Answer of round ${round}.`);
  }
  await side.tick(3);
  expect((await side.row(item)).task.hold).toMatchObject({ cause: 'question_rounds', blocking: true });
  expect(side.shown(item)).toBe('Blocked');
  expect(side.noticesWith(item, 'Too many rounds of questions', `orch retry ${id}`)).toHaveLength(1);
  expect(side.noticesWith(item, 'The analyst asks')).toHaveLength(3);

  // Answered, then lifted: the answer is in the orders, and the old questions file stops nothing.
  side.say(people.lead, item, '<p>The last answer.</p>');
  await side.tick();
  expect(side.calls(item, 'analyst')).toHaveLength(4);
  await line.app.store.post({ taskId: id, sourceKey: 'command:1', body: { kind: 'command', name: 'retry', by: 'op' } });
  await line.until('the request for approval', id, (row) => row.task.hold?.cause === 'approval');
  expect(side.calls(item, 'analyst')[4]?.orders).toContain('The last answer.');
  expect(side.calls(item, 'analyst')).toHaveLength(5);
}, 300_000);

test('what an earlier visit left is no evidence: nothing produced, conflict, old decision records', async () => {
  const nothing = { act: 'nothing' } as const;
  line = await startLine({
    script: {
      roles: {
        analyst: [nothing, nothing, {}, nothing, {}],
        architect: [{ act: 'conflict' }, nothing, {}, nothing, nothing],
      },
    },
  });
  const { people } = line.world;
  const side = planeSide(line);
  await side.tick();
  const item = side.add('A discount for regular customers');
  const id = side.id(item);
  const asked = (what: string): Promise<unknown> =>
    line === null
      ? Promise.reject(new Error('closed'))
      : line.until(what, id, (row) => row.task.hold?.cause === 'approval' && row.liveJob === null);

  await line.until('the hold', id, (row) => row.task.hold?.cause === 'nothing_produced');
  await side.tick(3);
  expect(side.calls(item, 'analyst')).toHaveLength(2);
  expect(side.calls(item, 'analyst')[1]?.orders).toMatch(/missing or empty: 01-brd\.md, 02-trz\.md/);
  expect(side.shown(item)).toBe('Blocked');
  expect(side.noticesWith(item, 'left nothing that the gate can read', `orch retry ${id}`)).toHaveLength(1);
  await line.app.store.post({ taskId: id, sourceKey: 'command:1', body: { kind: 'command', name: 'retry', by: 'op' } });
  await asked('the first request');

  // Conflict: back to analysis with its text; four unchanged documents are not this visit's work.
  side.say(people.lead, item, '<p>:approved:</p>');
  await side.tick();
  await asked('the request after the conflict');
  const analyst = side.calls(item, 'analyst');
  expect(analyst).toHaveLength(5);
  expect(analyst[3]?.orders).toContain('The requirements contradict what the shop already promises');
  expect(analyst[4]?.orders).toContain('none of the four documents changed');
  expect(side.noticesWith(item, 'analyst runs again', 'a conflict with the specification (1 of 2)')).toHaveLength(1);

  // The old conflict neither fails the gate nor counts as work; then a decision record passes it.
  side.say(people.lead, item, '<p>:approved:</p>');
  await side.tick();
  await line.work();
  expect(side.calls(item, 'architect')).toHaveLength(3);
  expect((await side.row(item)).task.counters.conflictRounds).toBe(1);
  expect((await side.rules(item)).filter((rule) => rule === 'architecture.done')).toHaveLength(1);

  // Sent back by a person, the old decision record passes nothing either.
  side.say(people.lead, item, '<p>:rejected: think again</p>');
  await side.tick();
  await line.until('the hold of the architect', id, (row) => row.task.hold?.cause === 'nothing_produced');
  expect((await side.row(item)).task.stage).toBe('architecture');
  expect(side.calls(item, 'architect')).toHaveLength(5);
  expect(side.calls(item, 'architect')[3]?.orders).toContain('think again');
}, 300_000);

test('a third conflict of the architect is held', async () => {
  line = await startLine({ script: { roles: { architect: [{ act: 'conflict' }] }, repeatLast: true } });
  const { people } = line.world;
  const side = planeSide(line);
  await side.tick();
  const item = side.add('A discount for regular customers');
  const id = side.id(item);
  for (const round of [1, 2, 3]) {
    await line.until(`request ${round}`, id, (row) => row.task.hold?.cause === 'approval' && row.liveJob === null);
    side.say(people.lead, item, `<p>:approved: round ${round}</p>`);
    await side.tick();
    await line.work();
  }
  await side.tick(2);
  expect((await side.row(item)).task).toMatchObject({
    stage: 'architecture',
    hold: { cause: 'conflict_rounds', blocking: true },
    counters: { conflictRounds: 2 },
  });
  expect(side.calls(item, 'architect')).toHaveLength(3);
  expect(side.shown(item)).toBe('Blocked');
  expect(
    side.noticesWith(item, 'The conflict with the specification remains', 'contradict', `orch retry ${id}`),
  ).toHaveLength(1);
}, 300_000);
