import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { bringIn } from '../../src/core/engine/bring-in.ts';
import { changeItem } from '../../src/sandbox/plane/items.ts';
import type { WorkItem } from '../../src/sandbox/plane/state.ts';
import { startLine, type Line } from '../support/line.ts';
import { goodText, planeSide, type PlaneSide } from '../support/plane-side.ts';

const timeout = 120_000;

let line: Line;
let side: PlaneSide;
const close = (): Promise<void> => line.close();

/** orch has seen the project once: an item that is added from now on is new to it. */
async function startAfterFirstContact(): Promise<void> {
  line = await startLine();
  side = planeSide(line);
  await side.tick();
}

describe('an item from before the first contact', { timeout }, () => {
  let old: WorkItem;
  beforeEach(async () => {
    line = await startLine();
    side = planeSide(line);
    const { people } = line.world;
    old = side.add('An item from before the first contact');
    side.say(people.lead, old, '<p>:rejected: an order of the year before</p>');
    side.say(people.lead, old, '<p>:approved:</p>');
    await side.tick();
    return close;
  });

  test('stays outside, also when it is edited', async () => {
    const { plane, people } = line.world;
    plane.editItemAs(people.lead, old, { name: 'Edited after the first contact' });
    await side.tick(4);
    expect(await line.app.store.task(side.id(old))).toBeNull();
  });

  test('enters once by command, and what was said in it before counts for nothing', async () => {
    const bring = (name: string): ReturnType<typeof bringIn> =>
      bringIn(name, null, line.app, line.app.config.projects, 'op');
    expect(await bring(`et-${old.sequence}`)).toEqual({ taskId: side.id(old), came: 'new' });
    await side.tick(3);
    expect((await side.row(old)).task).toMatchObject({ stage: 'analysis', counters: { rejections: 0 } });
    expect((await side.row(old)).liveJob).toMatchObject({ role: 'analyst', state: 'queued', cancelRequested: false });
    expect(await bring(`ET-${old.sequence}`)).toMatchObject({ came: 'known' });
    expect(await line.app.store.tasks({})).toHaveLength(1);
  });
});

describe('an item that says too little', { timeout }, () => {
  let poor: WorkItem;
  beforeEach(async () => {
    await startAfterFirstContact();
    poor = side.add('Hi', '<p>&nbsp;</p><p>short</p>');
    await side.tick(2);
    return close;
  });

  test('is refused once, with all that it lacks; an approval of it is answered', async () => {
    side.say(line.world.people.lead, poor, '<p>:approved:</p>');
    await side.tick(4);
    const refusals = side.noticesWith(poor, 'Not started', 'title needs at least 5', 'description needs at least 20');
    expect(refusals).toHaveLength(1);
    expect(side.noticesWith(poor, 'Nothing waits for an approval now')).toHaveLength(1);
    expect(side.notices(poor)).toHaveLength(2);
    expect(side.shown(poor)).toBe('Blocked');
  });

  test('is refused again without a word when it is only moved', async () => {
    expect(side.notices(poor)).toHaveLength(1);
    line.world.plane.moveAs(line.world.people.lead, poor, 'In Progress');
    await side.tick(3);
    expect(side.notices(poor)).toHaveLength(1);
    expect(side.shown(poor)).toBe('Blocked');
  });

  test('says what it still lacks when half of it is corrected, and enters by itself when all is', async () => {
    const { plane, people } = line.world;
    plane.editItemAs(people.lead, poor, { name: 'Hints for the cart' });
    await side.tick(3);
    expect(side.noticesWith(poor, 'Not started')).toHaveLength(2);
    expect(side.noticesWith(poor, 'title needs')).toHaveLength(1);
    plane.editItemAs(people.guest, poor, { description_html: goodText });
    await side.tick(3);
    const { task, liveJob } = await side.row(poor);
    const branch = `feature/${side.id(poor)}-hints-for-the-cart`;
    expect(task).toMatchObject({ stage: 'analysis', hold: null, branch });
    expect(liveJob).toMatchObject({ role: 'analyst', state: 'queued' });
    expect(side.noticesWith(poor, 'Accepted')).toHaveLength(1);
    expect(side.shown(poor)).toBe('In Progress');
  });
});

describe('a title in other letters, in none, or with markup', { timeout }, () => {
  let cyrillic: WorkItem;
  let symbols: WorkItem;
  let hostile: WorkItem;
  beforeAll(async () => {
    await startAfterFirstContact();
    cyrillic = side.add('Скидка для постоянных покупателей 🎉 и ещё немного слов');
    symbols = side.add('!!! ??? *** +++');
    const title = '<script>alert(1)</script> --upload-pack=x $(id)';
    hostile = side.add(title, `${goodText}<p><b>&lt;script&gt;</b></p>`);
    await side.tick(3);
    return close;
  });
  const branchOf = async (item: WorkItem): Promise<string> => (await side.row(item)).task.branch;

  test('gives a short branch name in Latin letters', async () => {
    expect(await branchOf(cyrillic)).toMatch(/^feature\/ET-\d{3}-skidka-[a-z0-9-]+$/);
    const slug = (await branchOf(cyrillic)).slice(`feature/${side.id(cyrillic)}-`.length);
    expect(slug.length).toBeLessThanOrEqual(30);
    expect(await branchOf(symbols)).toBe(`feature/${side.id(symbols)}`);
  });

  test('enters, with title and description in the business request and one comment', async () => {
    const { gitea, repo } = line.world;
    for (const item of [cyrillic, symbols, hostile]) {
      expect((await side.row(item)).task.stage, item.name).toBe('analysis');
      const file = `docs/work-items/${side.id(item)}/00-business-request.md`;
      const request = await gitea.readFile(repo, await branchOf(item), file);
      expect(request).toContain(`# ${side.id(item)}: ${item.name}`);
      expect(request).toContain('discount of ten percent');
      expect(side.notices(item)).toHaveLength(1);
    }
  });

  test('is no markup in Plane or Telegram', () => {
    const { plane, telegram } = line.world;
    expect(plane.state.comments.length).toBeGreaterThanOrEqual(3);
    expect(plane.state.comments.filter((comment) => /<script|<b>/.test(comment.html))).toEqual([]);
    for (const message of telegram.messages) expect(message.text).not.toContain('<script');
  });
});

/** What stands in the way of an item, and how a person takes it away. */
const obstacles = {
  existing_artifacts: {
    title: 'Documents of this number exist',
    named: (item: WorkItem) => `docs/work-items/${side.id(item)}`,
    async make(item: WorkItem): Promise<() => Promise<void>> {
      const { gitea, repo, accounts } = line.world;
      const before = gitea.head(repo, 'main') ?? '';
      const files = { [`${this.named(item)}/01-brd.md`]: 'old' };
      await gitea.pushFile(repo, 'main', files, 'old documents', accounts.owner);
      return async () => void (await gitea.forcePush(repo, 'main', before, accounts.owner));
    },
  },
  existing_branch: {
    title: 'A branch of this name exists',
    named: (item: WorkItem) => `feature/${side.id(item)}-a-branch-of-this-name-exists`,
    async make(item: WorkItem): Promise<() => Promise<void>> {
      const { gitea, repo, accounts } = line.world;
      await gitea.pushFile(repo, this.named(item), { 'x.txt': 'x' }, 'by hand', accounts.owner);
      return async () => void (await gitea.deleteBranch(repo, this.named(item), accounts.owner));
    },
  },
  effect_refused: {
    title: 'A branch called feature exists',
    named: () => 'Rename or delete the branch feature on the server',
    async make(): Promise<() => Promise<void>> {
      const { gitea, repo, accounts } = line.world;
      await gitea.pushFile(repo, 'feature', { 'x.txt': 'x' }, 'by hand', accounts.owner);
      return async () => void (await gitea.deleteBranch(repo, 'feature', accounts.owner));
    },
  },
};

test.each(Object.entries(obstacles))(
  '%s: the item is held with one comment, and a retry lets it in when the obstacle is gone',
  { timeout },
  async (cause, obstacle) => {
    await startAfterFirstContact();
    onTestFinished(close);
    const item = side.add(obstacle.title);
    const clear = await obstacle.make(item);
    await side.tick(4);
    expect((await side.row(item)).task.hold).toMatchObject({ cause, blocking: true });
    expect(side.noticesWith(item, obstacle.named(item), `orch retry ${side.id(item)}`)).toHaveLength(1);
    expect(side.notices(item)).toHaveLength(1);
    expect(side.shown(item)).toBe('Blocked');
    expect((await side.row(item)).liveJob).toBeNull();
    await clear();
    await side.retry(item);
    await side.tick(2);
    expect((await side.row(item)).task.stage).toBe('analysis');
    expect(side.shown(item)).toBe('In Progress');
  },
);

describe('with a label and states configured', { timeout }, () => {
  let old: WorkItem;
  beforeEach(async () => {
    line = await startLine({
      configure: (config) => {
        const [project] = config['projects'] as Record<string, unknown>[];
        if (project !== undefined) project['intake'] = { label: 'orch', states: ['todo'] };
      },
    });
    side = planeSide(line);
    old = side.add('An item from before the first contact');
    await side.tick();
    return close;
  });
  const entered = async (): Promise<string[]> => (await line.app.store.tasks({})).map((row) => row.task.id);

  test('an item without the label stays outside, in any state', async () => {
    const plain = side.add('A new item without the label');
    await side.tick(2);
    expect(await entered()).toEqual([]);
    line.world.plane.moveAs(line.world.people.lead, plain, 'Todo');
    await side.tick(2);
    expect(await entered()).toEqual([]);
  });

  test('a labelled item enters in such a state only, although it is old and the label was made later', async () => {
    const { plane, project, people } = line.world;
    const label = plane.addLabel(project, people.lead, 'orch');
    changeItem(plane.state, project, people.lead, old, { labels: [label.id] });
    await side.tick(2);
    expect(await entered()).toEqual([]);
    plane.moveAs(people.lead, old, 'Todo');
    await side.tick(2);
    expect(await entered()).toEqual([side.id(old)]);
  });
});
