import { afterEach, expect, test } from 'vitest';
import { bringIn } from '../../src/core/engine/bring-in.ts';
import { reopen } from '../../src/core/engine/reopen.ts';
import { runRounds } from '../../src/core/engine/rounds.ts';
import type { AgentStep } from '../../src/sandbox/agent/script.ts';
import type { WorkItem } from '../../src/sandbox/plane/state.ts';
import { startLine, type Line } from '../support/line.ts';
import { planeSide, writes, type PlaneSide } from '../support/plane-side.ts';

// What a person does with the card between two looks of the poller.
const timeout = 120_000;
const nothing = { act: 'nothing' } as const;

let line: Line;
let side: PlaneSide;
afterEach(() => line.close());

async function start(analyst: AgentStep[] = []): Promise<void> {
  line = await startLine({ script: { roles: { analyst } } });
  side = planeSide(line);
  await side.tick();
}

const move = (item: WorkItem, state: string): void => line.world.plane.moveAs(line.world.people.lead, item, state);
const moves = (item: WorkItem): string[] =>
  writes(line.world.plane.requests).filter((request) => request.startsWith('PATCH ') && request.includes(item.id));
const rounds = (): Promise<void> => runRounds({ decisions: 0, delivered: 0, problems: [] }, line.app.engine);

test('is seen before a state is written: cancelled, or moved where it means nothing', { timeout }, async () => {
  await start();
  const cancelled = side.add('A discount for regular customers');
  const moved = side.add('A second discount for others');
  await side.tick(2);
  const before = moves(cancelled);
  move(cancelled, 'Cancelled');
  move(moved, 'Todo');
  // The worker decides and delivers by itself; no poll has seen the moves.
  await line.work();
  expect(side.shown(cancelled)).toBe('Cancelled');
  expect(moves(cancelled)).toEqual(before);
  expect((await side.row(cancelled)).task.stage).toBe('cancelled');
  expect((await side.row(moved)).task.hold).toMatchObject({ cause: 'approval' });
  expect(side.shown(moved)).toBe('In Review');
});

test('from Blocked, which no poll has seen, to In Progress lifts the hold', { timeout }, async () => {
  await start([nothing, nothing]);
  const item = side.add('A discount for regular customers');
  await side.tick(2);
  await line.work();
  expect((await side.row(item)).task.hold).toMatchObject({ cause: 'nothing_produced' });
  expect(side.shown(item)).toBe('Blocked');
  move(item, 'In Progress');
  await side.tick(2);
  expect((await side.row(item)).task.hold).toBeNull();
  expect(side.shown(item)).toBe('In Progress');
});

test('a cancellation by command, and an end set by hand, can always be taken back', { timeout }, async () => {
  await start();
  const { app } = line;
  const item = side.add('A discount for regular customers');
  await side.tick(2);
  const { task } = await side.row(item);
  const policy = app.engine.policyOf(task);
  if (policy === null) throw new Error('no policy');
  let orders = 0;
  const cancel = async (): Promise<void> => {
    const body = { kind: 'command', name: 'cancel', by: 'op' } as const;
    await app.store.post({ taskId: task.id, sourceKey: `command:cancel:${(orders += 1)}`, body });
    await rounds();
    expect((await side.row(item)).task.stage).toBe('cancelled');
    expect(side.shown(item)).toBe('Cancelled');
  };
  const goesOn = async (): Promise<void> => {
    expect((await side.row(item)).task.stage).toBe('analysis');
    expect(side.shown(item)).toBe('In Progress');
  };

  // Moved back before a poll has seen Cancelled.
  await cancel();
  move(item, 'In Progress');
  await side.tick(2);
  await goesOn();
  expect(await side.rules(item)).toContain('world.reopened');

  await cancel();
  await reopen(task, 'op', policy, app);
  await rounds();
  await goesOn();
  await side.tick(2);
  await goesOn();

  await cancel();
  const { came } = await bringIn(`${line.world.project.identifier}-1`, null, app, app.config.projects, 'op');
  expect(came).toBe('reopened');
  await rounds();
  await goesOn();

  // Heard again after it was overruled.
  move(item, 'Cancelled');
  await side.tick(2);
  expect((await side.row(item)).task.stage).toBe('cancelled');
  move(item, 'In Progress');
  await side.tick(2);

  move(item, 'Done');
  await side.tick(2);
  expect((await side.row(item)).task.hold).toMatchObject({ cause: 'closed_by_hand' });
  await side.retry(item);
  await side.tick(2);
  await goesOn();
});
