import { afterEach, expect, test } from 'vitest';
import { bringIn } from '../../src/core/engine/bring-in.ts';
import { changeItem } from '../../src/sandbox/plane/items.ts';
import { startLine, type Line } from '../support/line.ts';
import { goodText, planeSide } from '../support/plane-side.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

test('what may enter enters once, what may not is told once what it needs', async () => {
  line = await startLine();
  const { world } = line;
  const { plane, gitea, repo, people, accounts } = world;
  const side = planeSide(line);
  const old = side.add('An item from before the first contact');
  side.say(people.lead, old, '<p>:rejected: an order of the year before</p>');
  side.say(people.lead, old, '<p>:approved:</p>');
  await side.tick();
  plane.editItemAs(people.lead, old, { name: 'Edited after the first contact' });

  const poor = side.add('Hi', '<p>&nbsp;</p><p>short</p>');
  const cyrillic = side.add('Скидка для постоянных покупателей 🎉 и ещё немного слов');
  const symbols = side.add('!!! ??? *** +++');
  const hostile = side.add(
    '<script>alert(1)</script> --upload-pack=x $(id)',
    `${goodText}<p><b>&lt;script&gt;</b></p>`,
  );
  const taken = side.add('Documents of this number exist');
  const branched = side.add('A branch of this name exists');
  const base = gitea.head(repo, 'main') ?? '';
  const folder = `docs/work-items/${side.id(taken)}`;
  await gitea.pushFile(repo, 'main', { [`${folder}/01-brd.md`]: 'old' }, 'old documents', accounts.owner);
  const foreign = `feature/${side.id(branched)}-a-branch-of-this-name-exists`;
  await gitea.pushFile(repo, foreign, { 'x.txt': 'x' }, 'by hand', accounts.owner);
  side.say(people.lead, poor, '<p>:approved:</p>');
  await side.tick(10);

  expect(await line.app.store.task(side.id(old))).toBeNull();
  expect(side.toldOf(poor, 'Not started', 'title needs at least 5', 'description needs at least 20')).toHaveLength(1);
  expect(side.toldOf(poor, 'Nothing waits for an approval now')).toHaveLength(1);
  expect(side.told(poor)).toHaveLength(2);
  expect(side.shown(poor)).toBe('Blocked');
  // Moved without being mended: refused again in silence.
  plane.moveAs(people.lead, poor, 'In Progress');
  await side.tick(3);
  expect(side.told(poor)).toHaveLength(2);
  expect(side.shown(poor)).toBe('Blocked');
  // Half mended: other defects, another comment; mended: goes on by itself.
  plane.editItemAs(people.lead, poor, { name: 'Hints for the cart' });
  await side.tick(3);
  expect(side.toldOf(poor, 'Not started')).toHaveLength(2);
  expect(side.toldOf(poor, 'title needs')).toHaveLength(1);
  plane.editItemAs(people.guest, poor, { description_html: goodText });
  await side.tick(3);
  const mended = await side.row(poor);
  expect(mended.task).toMatchObject({
    stage: 'analysis',
    hold: null,
    branch: `feature/${side.id(poor)}-hints-for-the-cart`,
  });
  expect(mended.liveJob).toMatchObject({ role: 'analyst', state: 'queued' });
  expect(side.toldOf(poor, 'Accepted')).toHaveLength(1);
  expect(side.shown(poor)).toBe('In Progress');

  const branchOf = async (item: typeof poor): Promise<string> => (await side.row(item)).task.branch;
  expect(await branchOf(cyrillic)).toMatch(/^feature\/ET-\d{3}-skidka-[a-z0-9-]+$/);
  expect((await branchOf(cyrillic)).slice(`feature/${side.id(cyrillic)}-`.length).length).toBeLessThanOrEqual(30);
  expect(await branchOf(symbols)).toBe(`feature/${side.id(symbols)}`);
  for (const item of [cyrillic, symbols, hostile]) {
    const branch = await branchOf(item);
    expect((await side.row(item)).task.stage, item.name).toBe('analysis');
    const request = await gitea.readFile(repo, branch, `docs/work-items/${side.id(item)}/00-business-request.md`);
    expect(request).toContain(`# ${side.id(item)}: ${item.name}`);
    expect(request).toContain('discount of ten percent');
    expect(side.told(item)).toHaveLength(1);
  }
  expect(plane.state.comments.filter((comment) => /<script|<b>/.test(comment.html))).toEqual([]);
  for (const message of world.telegram.messages) expect(message.text).not.toContain('<script');

  expect((await side.row(taken)).task.hold).toMatchObject({ cause: 'existing_artifacts', blocking: true });
  expect(side.toldOf(taken, folder, `orch retry ${side.id(taken)}`)).toHaveLength(1);
  expect((await side.row(branched)).task.hold).toMatchObject({ cause: 'existing_branch', blocking: true });
  expect(side.toldOf(branched, foreign, `orch retry ${side.id(branched)}`)).toHaveLength(1);
  for (const item of [taken, branched]) {
    expect(side.told(item)).toHaveLength(1);
    expect(side.shown(item)).toBe('Blocked');
    expect((await side.row(item)).liveJob).toBeNull();
  }
  await gitea.forcePush(repo, 'main', base, accounts.owner);
  await gitea.deleteBranch(repo, foreign, accounts.owner);
  for (const item of [taken, branched])
    await line.app.store.post({
      taskId: side.id(item),
      sourceKey: 'command:1',
      body: { kind: 'command', name: 'retry', by: 'op' },
    });
  await side.tick(2);
  for (const item of [taken, branched]) {
    expect((await side.row(item)).task.stage, item.name).toBe('analysis');
    expect(side.shown(item)).toBe('In Progress');
  }

  // By command an item of any number enters; what was said in it before counts for nothing.
  const brought = await bringIn(`et-${old.sequence}`, null, line.app, line.app.config.projects);
  expect(brought).toEqual({ taskId: side.id(old), created: true });
  await side.tick(3);
  expect((await side.row(old)).task).toMatchObject({ stage: 'analysis', counters: { rejections: 0 } });
  expect((await side.row(old)).liveJob).toMatchObject({ role: 'analyst', state: 'queued', cancelRequested: false });
  expect(await bringIn(`ET-${old.sequence}`, null, line.app, line.app.config.projects)).toMatchObject({
    created: false,
  });
  expect(await line.app.store.tasks({})).toHaveLength(7);
}, 300_000);

test('with a label and states configured only a labelled item in such a state enters, old or new', async () => {
  line = await startLine({
    configure: (config) => {
      const [project] = config['projects'] as Record<string, unknown>[];
      if (project !== undefined) project['intake'] = { label: 'orch', states: ['todo'] };
    },
  });
  const { plane, project, people } = line.world;
  const side = planeSide(line);
  const old = side.add('An item from before the first contact');
  await side.tick();
  const plain = side.add('A new item without the label');
  await side.tick(2);
  expect(await line.app.store.tasks({})).toEqual([]);
  // The label is made after orch read the labels.
  const label = plane.addLabel(project, people.lead, 'orch');
  changeItem(plane.state, project, people.lead, old, { labels: [label.id] });
  await side.tick(2);
  expect(await line.app.store.tasks({})).toEqual([]);
  plane.moveAs(people.lead, old, 'Todo');
  plane.moveAs(people.lead, plain, 'Todo');
  await side.tick(2);
  expect((await line.app.store.tasks({})).map((row) => row.task.id)).toEqual([side.id(old)]);
}, 300_000);
