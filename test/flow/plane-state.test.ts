import { afterEach, expect, test } from 'vitest';
import { readProcess } from '../../src/core/platform/processes.ts';
import { systemClock, type Clock } from '../../src/core/platform/clock.ts';
import { writeAgentScript } from '../../src/sandbox/agent/script.ts';
import { startLine, type Line } from '../support/line.ts';
import { planeSide, settled, writes } from '../support/plane-side.ts';
import { until } from '../support/until.ts';
import path from 'node:path';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

/** orch's clock, which the test moves on. */
function movedClock(): Clock & { ahead: number } {
  const clock = { ...systemClock, ahead: 0, now: () => Date.now() + clock.ahead };
  return clock;
}

const nothing = { act: 'nothing' } as const;

test('states are written on a change only, and what people do with the card is followed', async () => {
  line = await startLine({
    script: { roles: { analyst: [{ act: 'ask' }, nothing, nothing] } },
    configure: (config) => {
      const [project] = config['projects'] as Record<string, unknown>[];
      if (project !== undefined) project['states'] = { needsInput: 'No such state' };
    },
  });
  const { plane, people } = line.world;
  const side = planeSide(line);
  await side.tick();
  const item = side.add('A discount for regular customers');
  const id = side.id(item);
  const moves = (): string[] => writes(plane.requests).filter((request) => request.startsWith('PATCH '));
  await line.until('the questions', id, (row) => row.task.hold?.cause === 'answers');
  await side.tick(3);
  // The missing state falls back to the first of its group, which the card shows already: written once, at the start.
  expect(side.shown(item)).toBe('In Progress');
  expect(moves()).toHaveLength(1);
  side.say(people.lead, item, '<p>Euro.</p>');
  await line.until('the hold', id, (row) => row.task.hold?.cause === 'nothing_produced');
  await side.tick(3);
  expect(side.shown(item)).toBe('Blocked');
  expect(moves()).toHaveLength(2);

  // A guest's move lifts nothing, and a later edit by the lead does not make it the lead's.
  plane.moveAs(people.guest, item, 'In Progress');
  await side.tick(2);
  plane.editItemAs(people.lead, item, { priority: 'high' });
  await side.tick(2);
  expect((await side.row(item)).task.hold).toMatchObject({ cause: 'nothing_produced' });
  expect((await side.row(item)).liveJob).toBeNull();
  plane.moveAs(people.lead, item, 'Blocked');
  await side.tick(2);
  plane.moveAs(people.lead, item, 'Backlog');
  await side.tick(2);
  expect((await side.row(item)).liveJob).toBeNull();
  plane.moveAs(people.lead, item, 'In Progress');
  await side.tick(2);
  expect((await side.row(item)).task.hold).toBeNull();
  expect((await side.row(item)).liveJob).toMatchObject({ role: 'analyst', state: 'queued' });
  expect(moves()).toHaveLength(2);
  await line.until('the request for approval', id, (row) => row.task.hold?.cause === 'approval');
  await side.tick(3);
  expect(side.shown(item)).toBe('In Review');
  expect(moves()).toHaveLength(3);

  // Closed by hand: held, the card stays where the person put it; a guest does not reopen it, the lead does.
  plane.moveAs(people.guest, item, 'Done');
  await side.tick(3);
  expect((await side.row(item)).task.hold).toMatchObject({ cause: 'closed_by_hand', blocking: true });
  expect(side.shown(item)).toBe('Done');
  expect(side.toldOf(item, 'closed by hand', `orch retry ${id}`)).toHaveLength(1);
  side.say(people.lead, item, '<p>:approved:</p>');
  plane.moveAs(people.guest, item, 'In Progress');
  await side.tick(3);
  expect((await side.row(item)).task).toMatchObject({ stage: 'analysis', hold: { cause: 'closed_by_hand' } });
  plane.moveAs(people.lead, item, 'In Progress');
  await side.tick(3);
  // The approval was given meanwhile and counts now.
  expect((await side.row(item)).task).toMatchObject({ stage: 'architecture', hold: null });
  expect(moves()).toHaveLength(3);
}, 300_000);

test('cancelled, archived and deleted items stop the agent and keep the branch; a reopened one resumes at its stage', async () => {
  const clock = movedClock();
  line = await startLine({ script: { roles: { analyst: [{ waitFor: 'never' }] } }, appClock: clock });
  const { plane, people, gitea, repo } = line.world;
  const { app } = line;
  const side = planeSide(line);
  await side.tick();
  const item = side.add('A discount for regular customers');
  const other = side.add('Another discount for others');
  const third = side.add('A third discount for others');
  await side.tick(2);
  const working = line.work();
  await until('the analyst', () => side.calls(item, 'analyst').length === 1);
  const [analyst] = side.calls(item, 'analyst');
  writeAgentScript(path.join(line.root, 'script'), { roles: {} });
  // Archived and deleted items are in no list: the slow sweep finds them.
  plane.archive(other);
  plane.deleteItem(third);
  await side.tick(2);
  expect((await side.row(other)).task.stage).toBe('analysis');
  clock.ahead += 6 * 60_000;
  await side.tick(2);
  for (const gone of [other, third]) {
    expect((await side.row(gone)).task.stage).toBe('cancelled');
    expect((await side.row(gone)).liveJob).toBeNull();
  }
  plane.moveAs(people.member, item, 'Cancelled');
  await side.tick(3);
  expect((await side.row(item)).task).toMatchObject({ stage: 'cancelled', hold: null });
  expect(side.toldOf(item, 'Cancelled')).toHaveLength(1);
  await working;
  expect(readProcess(analyst?.pid ?? 0)).toBeNull();
  expect((await side.row(item)).liveJob).toBeNull();
  await side.tick(2);
  await line.work();
  expect(side.calls(item, 'analyst')).toHaveLength(1);
  expect(side.calls(other, 'analyst').length + side.calls(third, 'analyst').length).toBe(0);
  const { branch } = (await side.row(item)).task;
  expect(gitea.head(repo, branch)).toBeDefined();
  expect(side.shown(item)).toBe('Cancelled');
  const [run] = await app.store.runs({ taskId: side.id(item), limit: 5 });
  expect(run?.outcome?.kind).toBe('cancelled');

  plane.moveAs(people.lead, item, 'In Progress');
  plane.unarchive(other);
  await settled(line);
  await line.until('the request for approval', side.id(item), (row) => row.task.hold?.cause === 'approval');
  await line.until('the request of the other', side.id(other), (row) => row.task.hold?.cause === 'approval');
  expect(side.toldOf(item, 'cancelled → analysis')).toHaveLength(1);
  expect(side.calls(item, 'analyst')).toHaveLength(2);
  expect((await side.row(item)).task.branch).toBe(branch);
  expect((await side.row(third)).task.stage).toBe('cancelled');
  await side.tick();
  expect(side.shown(item)).toBe('In Review');
}, 300_000);
