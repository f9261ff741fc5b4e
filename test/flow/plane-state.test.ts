import path from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock, type Clock } from '../../src/core/platform/clock.ts';
import { readProcess } from '../../src/core/platform/processes.ts';
import { writeAgentScript, type AgentCall, type AgentStep } from '../../src/sandbox/agent/script.ts';
import type { WorkItem } from '../../src/sandbox/plane/state.ts';
import { startLine, type Line, type LineOptions } from '../support/line.ts';
import { planeSide, settled, writes, type PlaneSide } from '../support/plane-side.ts';
import { until } from '../support/until.ts';

const timeout = 120_000;
const nothing = { act: 'nothing' } as const;

let line: Line;
let side: PlaneSide;
let item: WorkItem;
const close = (): Promise<void> => line.close();

/** A line with one new item. */
async function start(analyst: AgentStep[], options: LineOptions = {}): Promise<void> {
  line = await startLine({ script: { roles: { analyst } }, ...options });
  side = planeSide(line);
  await side.tick();
  item = side.add('A discount for regular customers');
}

const heldFor = async (cause: string): Promise<void> =>
  void (await line.until(`the hold ${cause}`, side.id(item), (row) => row.task.hold?.cause === cause));

/** orch's own writes to the card's state. */
const moves = (): string[] => writes(line.world.plane.requests).filter((request) => request.startsWith('PATCH '));

test(
  'the card is written on a change only; a state that Plane lacks is the first of its group',
  { timeout },
  async () => {
    await start([{ act: 'ask' }, nothing, nothing], {
      configure: (config) => {
        const [project] = config['projects'] as Record<string, unknown>[];
        if (project !== undefined) project['states'] = { needsInput: 'No such state' };
      },
    });
    onTestFinished(close);
    await heldFor('answers');
    await side.tick(3);
    // The card shows the first state of the group already: it was written once, at the start.
    expect(side.shown(item)).toBe('In Progress');
    expect(moves()).toHaveLength(1);
    side.say(line.world.people.lead, item, '<p>Euro.</p>');
    await heldFor('nothing_produced');
    await side.tick(3);
    expect(side.shown(item)).toBe('Blocked');
    expect(moves()).toHaveLength(2);
  },
);

describe('the card of a held task', { timeout }, () => {
  beforeEach(async () => {
    await start([nothing, nothing]);
    await heldFor('nothing_produced');
    await side.tick(3);
    return close;
  });

  test("moved by a guest lifts nothing, and an approver's later edit does not make the move the approver's", async () => {
    const { plane, people } = line.world;
    plane.moveAs(people.guest, item, 'In Progress');
    await side.tick(2);
    plane.editItemAs(people.lead, item, { priority: 'high' });
    await side.tick(2);
    expect((await side.row(item)).task.hold).toMatchObject({ cause: 'nothing_produced' });
    expect((await side.row(item)).liveJob).toBeNull();
  });

  test('moved by an approver lifts the hold when it is moved to In Progress, and orch does not write it then', async () => {
    const { plane, people } = line.world;
    plane.moveAs(people.lead, item, 'Backlog');
    await side.tick(2);
    expect((await side.row(item)).liveJob).toBeNull();
    plane.moveAs(people.lead, item, 'Blocked');
    await side.tick(2);
    expect((await side.row(item)).task.hold).toMatchObject({ cause: 'nothing_produced' });
    expect((await side.row(item)).liveJob).toBeNull();
    plane.moveAs(people.lead, item, 'In Progress');
    await side.tick(2);
    expect((await side.row(item)).task.hold).toBeNull();
    expect((await side.row(item)).liveJob).toMatchObject({ role: 'analyst', state: 'queued' });
    expect(moves()).toHaveLength(2);
    await heldFor('approval');
    await side.tick(3);
    expect(side.shown(item)).toBe('In Review');
    expect(moves()).toHaveLength(3);
  });
});

describe('an item that a person closes while it waits for an approval', { timeout }, () => {
  beforeEach(async () => {
    await start([]);
    await heldFor('approval');
    await side.tick(3);
    line.world.plane.moveAs(line.world.people.guest, item, 'Done');
    await side.tick(3);
    return close;
  });

  test('is held and stays where the person put it', async () => {
    expect((await side.row(item)).task.hold).toMatchObject({ cause: 'closed_by_hand', blocking: true });
    expect(side.shown(item)).toBe('Done');
    expect(side.noticesWith(item, 'closed by hand', `orch retry ${side.id(item)}`)).toHaveLength(1);
  });

  test('is reopened by an approver, not by a guest; an approval that was given meanwhile counts then', async () => {
    const { plane, people } = line.world;
    const before = moves();
    side.say(people.lead, item, '<p>:approved:</p>');
    plane.moveAs(people.guest, item, 'In Progress');
    await side.tick(3);
    expect((await side.row(item)).task).toMatchObject({ stage: 'analysis', hold: { cause: 'closed_by_hand' } });
    plane.moveAs(people.lead, item, 'In Progress');
    await side.tick(3);
    expect((await side.row(item)).task).toMatchObject({ stage: 'architecture', hold: null });
    expect(moves()).toEqual(before);
  });
});

describe('an item that is cancelled while its agent works', { timeout }, () => {
  let analyst: AgentCall | undefined;
  beforeEach(async () => {
    await start([{ waitFor: 'never' }]);
    await side.tick(2);
    const working = line.work();
    await until('the analyst', () => side.calls(item, 'analyst').length === 1);
    [analyst] = side.calls(item, 'analyst');
    // From the next call on the agent does its work.
    writeAgentScript(path.join(line.root, 'script'), { roles: {} });
    line.world.plane.moveAs(line.world.people.member, item, 'Cancelled');
    await side.tick(3);
    await working;
    return close;
  });

  test('loses its agent and its job, and keeps its branch', async () => {
    const { task, liveJob } = await side.row(item);
    expect(task).toMatchObject({ stage: 'cancelled', hold: null });
    expect(liveJob).toBeNull();
    expect(readProcess(analyst?.pid ?? 0)).toBeNull();
    const [run] = await line.app.store.runs({ taskId: side.id(item), limit: 5 });
    expect(run?.outcome?.kind).toBe('cancelled');
    expect(line.world.gitea.head(line.world.repo, task.branch)).toBeDefined();
  });

  test('stays cancelled, with one comment', async () => {
    await side.tick(2);
    await line.work();
    expect(side.calls(item, 'analyst')).toHaveLength(1);
    expect(side.noticesWith(item, 'Cancelled')).toHaveLength(1);
    expect(side.shown(item)).toBe('Cancelled');
  });

  test('resumes at its stage and on its branch when it is reopened', async () => {
    const { branch } = (await side.row(item)).task;
    line.world.plane.moveAs(line.world.people.lead, item, 'In Progress');
    await settled(line);
    await heldFor('approval');
    await side.tick();
    expect(side.noticesWith(item, 'cancelled → analysis')).toHaveLength(1);
    expect(side.calls(item, 'analyst')).toHaveLength(2);
    expect((await side.row(item)).task.branch).toBe(branch);
    expect(side.shown(item)).toBe('In Review');
  });
});

describe('an archived and a deleted item, which are in no list of Plane', { timeout }, () => {
  let deleted: WorkItem;
  let clock: Clock & { ahead: number };
  beforeEach(async () => {
    clock = { ...systemClock, ahead: 0, now: () => Date.now() + clock.ahead };
    await start([], { appClock: clock });
    deleted = side.add('A second discount for others');
    await side.tick(2);
    line.world.plane.archive(item);
    line.world.plane.deleteItem(deleted);
    await side.tick(2);
    return close;
  });
  const sweep = async (): Promise<void> => {
    clock.ahead += 6 * 60_000;
    await side.tick(2);
  };

  test('are cancelled by the slow sweep, before an agent runs for them', async () => {
    for (const gone of [item, deleted]) expect((await side.row(gone)).task.stage).toBe('analysis');
    await sweep();
    for (const gone of [item, deleted]) {
      expect((await side.row(gone)).task.stage).toBe('cancelled');
      expect((await side.row(gone)).liveJob).toBeNull();
    }
    await line.work();
    expect([...side.calls(item, 'analyst'), ...side.calls(deleted, 'analyst')]).toEqual([]);
  });

  test('the archived one resumes when it is unarchived, the deleted one stays cancelled', async () => {
    await sweep();
    line.world.plane.unarchive(item);
    await settled(line);
    await heldFor('approval');
    expect((await side.row(deleted)).task.stage).toBe('cancelled');
  });
});
