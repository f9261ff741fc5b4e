import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ItemMirror, NamedLease, ProjectId, ProjectPolicy, TaskId } from '../../src/core/model/index.ts';
import { createPlane } from '../../src/core/peers/plane/plane.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { pollTracker } from '../../src/pollers/tracker.ts';
import { addComment } from '../../src/sandbox/plane/comments.ts';
import { startPlane, type SandboxPlane } from '../../src/sandbox/plane/server.ts';
import { stamp, type PlaneUser, type Project, type WorkItem } from '../../src/sandbox/plane/state.ts';
import { emptyImage, memoryStore, type MemoryStore } from '../support/memory-database.ts';
import { until } from '../support/until.ts';
import { policy as anyPolicy } from '../support/snapshots.ts';

// One look at a project: the real adapter and the real store against the embedded Plane.
const text = '<p>Regular customers get a discount of ten percent on every cart.</p>';

let image: Buffer;
let plane: SandboxPlane;
let lead: PlaneUser;
let project: Project;
let data: MemoryStore;
let leader: NamedLease;
let tracker: ReturnType<typeof createPlane>;
const clock = { ...systemClock, ahead: 0, now: () => Date.now() + clock.ahead };

beforeAll(async () => {
  image = await emptyImage();
});
beforeEach(async () => {
  clock.ahead = 0;
  plane = await startPlane({ rateLimitPerMinute: 100_000, workerDelayMs: 0 });
  lead = plane.addUser({ email: 'lead@example.org' });
  project = plane.addProject({ identifier: 'ET', name: 'Shop' });
  data = memoryStore(image, clock);
  tracker = createPlane({
    ...{ url: plane.url, workspace: 'acme', token: () => lead.token, requestsPerMinute: 45, clock, log: silentLog },
  });
  await lease();
});
afterEach(() => plane.close());

async function lease(): Promise<void> {
  const mine = await data.store.acquireLease('poller', 'p1', 120_000);
  if (mine === null) throw new Error('no lease');
  leader = mine;
}

const policyOf = (of: Project, over: Partial<ProjectPolicy> = {}) =>
  anyPolicy({ projectId: of.id as ProjectId, approvers: ['lead@example.org'], ...over });

/** A tick, one minute after the last one. */
async function tick(of = project, over: Partial<ProjectPolicy> = {}): Promise<{ behind: boolean }> {
  clock.ahead += 60_000;
  await lease();
  const policy = policyOf(of, over);
  const seen = await pollTracker(policy, {
    database: '0123abcd',
    store: data.store,
    tracker,
    leader,
    policyOf: () => policy,
  });
  return seen;
}

const add = (name: string, of = project): WorkItem => plane.addItem(of, lead, { name, description_html: text });
const say = (item: WorkItem, html: string): void =>
  void addComment(plane.state, project, lead, item.id, { comment_html: html });
const itemOf = async (id: string): Promise<ItemMirror | null> => (await data.store.load(id as TaskId))?.item ?? null;
const rowOf = (of = project) => data.store.project(of.id as ProjectId);
const said = async (): Promise<string[]> => (await data.store.effects({ limit: 50 })).map(({ key }) => key).sort();
const taskIds = async (): Promise<string[]> => (await data.store.tasks({})).map(({ task }) => task.id).sort();

describe('behind a bulk edit', () => {
  const labelled = { intake: { label: 'orch', states: [] } };
  let others: WorkItem[];
  beforeEach(async () => {
    plane.addLabel(project, lead, 'orch');
    others = Array.from({ length: 2300 }, (_, n) => add(`Old item ${n}`));
    await tick(project, labelled);
    // While the poller is away, somebody labels an item, then all others are touched.
    plane.addItem(project, lead, { name: 'A discount for all', description_html: text, labels: ['orch'] });
    await until('the background worker of Plane', () => plane.state.worker.timers.size === 0);
    for (const other of others) other.updatedAt = stamp(plane.state);
  });

  async function ticksUntil(done: () => Promise<boolean>): Promise<number> {
    for (let n = 1; n < 20; n += 1) {
      await tick(project, labelled);
      if (await done()) return n;
    }
    throw new Error(`not within 20 ticks: ${JSON.stringify((await rowOf()).resolved.gap)}`);
  }
  const isOver = async (): Promise<boolean> => (await rowOf()).resolved.gap === null;

  it('pages are listed until the watermark, over as many ticks as it takes; the project says how far', async () => {
    expect(await tick(project, labelled)).toEqual({ behind: true });
    const first = (await rowOf()).resolved.gap;
    expect(first).toMatchObject({ cursor: '100:18:0' });
    expect(await taskIds()).toEqual([]);
    expect(await ticksUntil(isOver)).toBe(1);
    expect(await taskIds()).toEqual(['ET-2301']);
    expect(await tick(project, labelled)).toEqual({ behind: false });
    // Listed once more for changes with late stamps, then no more than what shares the newest one's millisecond.
    await ticksUntil(async () => (await rowOf()).resolved.settled > 0);
    plane.requests.splice(0);
    await tick(project, labelled);
    expect(plane.requests.filter((request) => request.includes('order_by=-updated_at')).length).toBeLessThan(20);
  });

  it('also where items that stood before are deleted, or touched again, in between', async () => {
    await tick(project, labelled);
    for (const other of others.slice(-900)) other.deleted = true;
    for (const other of others.slice(100, 300)) other.updatedAt = stamp(plane.state);
    await ticksUntil(isOver);
    expect(await taskIds()).toEqual(['ET-2301']);
  });

  it('what is done meanwhile is heard at once', async () => {
    await tick(project, labelled);
    plane.addItem(project, lead, { name: 'A new discount', description_html: text, labels: ['orch'] });
    await tick(project, labelled);
    expect(await taskIds()).toContain('ET-2302');
  });
});

describe('an item that cannot enter', () => {
  it('has the number of a task of another item: it says so once, and no word in it goes to that task', async () => {
    await tick();
    add('A discount for regular customers');
    await tick();
    expect(await taskIds()).toEqual(['ET-001']);
    const again = plane.addProject({ identifier: 'ET', name: 'Shop' });
    await tick(again);
    const item = add('The first item of the project made again', again);
    addComment(plane.state, again, lead, item.id, { comment_html: '<p>:approved:</p>' });
    await tick(again);
    await tick(again);
    expect(await taskIds()).toEqual(['ET-001']);
    expect(data.rows('SELECT * FROM messages')).toEqual([]);
    expect(await said()).toEqual([`id_taken/${item.id}/chat`, `id_taken/${item.id}/comment`]);
    const { troubled } = (await rowOf(again)).resolved;
    expect(troubled[item.id]).toMatchObject({ number: 1, kind: 'id_taken', why: expect.stringContaining('ET-001') });
    // Another prefix, as the sentence says.
    clock.ahead += 300_000;
    await tick(again, { prefix: 'NEW' });
    expect(await taskIds()).toEqual(['ET-001', 'NEW-001']);
    expect((await rowOf(again)).resolved.troubled).toEqual({});
  });

  it('has the number of an item that came with it', async () => {
    await tick();
    const first = add('A discount for regular customers');
    const second = add('A second item under the same number');
    second.sequence = first.sequence;
    await tick();
    expect(await taskIds()).toEqual(['ET-001']);
    expect(await said()).toEqual([`id_taken/${second.id}/chat`, `id_taken/${second.id}/comment`]);
  });
});

describe('trouble with one item is that item’s', () => {
  it('comments of more than an answer may hold are read in smaller pages', async () => {
    await tick();
    const item = add('A discount for regular customers');
    for (const name of ['a', 'b', 'c']) say(item, `<p>${name.repeat(6_000_000)}</p>`);
    await tick();
    expect(data.rows('SELECT id FROM messages')).toHaveLength(3);
    expect((await itemOf('ET-001'))?.unreadable).toBeUndefined();
  });

  it('more comments than can be read: the others go on, and it is held by name once that lasts, until it is over', async () => {
    await tick();
    const crowded = add('An item with a robot in it');
    for (let n = 0; n < 2001; n += 1) say(crowded, `<p>${n}</p>`);
    const other = add('A discount for regular customers');
    await tick();
    expect(await taskIds()).toEqual(['ET-002']);
    say(other, '<p>a word</p>');
    await tick();
    expect(data.rows('SELECT id FROM messages')).toHaveLength(1);
    await tick();
    expect(await taskIds()).toEqual(['ET-001', 'ET-002']);
    expect((await itemOf('ET-001'))?.unreadable).toContain('more than 20 pages, 2000 rows');
    expect(await said()).toEqual([]);
    plane.state.comments.length = 2;
    clock.ahead += 300_000;
    await tick();
    expect(await itemOf('ET-001')).not.toHaveProperty('unreadable');
    expect((await rowOf()).resolved.troubled).toEqual({});
  });

  it('an item that the server fails on: a known one is held, a new one says so, and neither stops the rest', async () => {
    await tick();
    add('A discount for regular customers');
    await tick();
    const broken = add('An item that breaks the server');
    plane.faults.push({
      match: new RegExp(`GET .*/${broken.id}/|GET .*/${plane.itemNumber(project, 1).id}/`),
      times: Infinity,
      action: { kind: 'answer', status: 500, body: { error: 'Something went wrong' } },
    });
    plane.editItemAs(lead, plane.itemNumber(project, 1), { priority: 'high' });
    add('A third one');
    for (let n = 0; n < 3; n += 1) await tick();
    expect(await taskIds()).toEqual(['ET-001', 'ET-003']);
    expect((await itemOf('ET-001'))?.unreadable).toContain('HTTP 500');
    expect(await said()).toEqual([`unreadable/${broken.id}/chat`, `unreadable/${broken.id}/comment`]);
    plane.faults.splice(0);
    clock.ahead += 300_000;
    await tick();
    expect(await taskIds()).toEqual(['ET-001', 'ET-002', 'ET-003']);
    expect(await itemOf('ET-001')).not.toHaveProperty('unreadable');
  });
});
