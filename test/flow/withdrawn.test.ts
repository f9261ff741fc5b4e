import { afterEach, expect, test } from 'vitest';
import { runRounds } from '../../src/core/engine/rounds.ts';
import { addComment } from '../../src/sandbox/plane/comments.ts';
import { startCoding, type Coding } from '../support/coding.ts';
import { leapClock, type LeapClock } from '../support/leap-clock.ts';
import { lasting } from '../support/trouble.ts';
import { violations } from '../support/violations.ts';

// Several agents run one after the other; a busy machine takes its time.
const timeout = 240_000;

let coding: Coding | null = null;
afterEach(async () => {
  await coding?.line.close();
  coding = null;
});

const away = { kind: 'answer', status: 503, body: { message: 'away' } } as const;

interface Drive extends Coding {
  clock: LeapClock;
  /** Requests so far that a server was sent and that match. */
  asked(match: RegExp): number;
  command(name: 'pause' | 'resume' | 'cancel'): Promise<void>;
  /** The trouble is over, and everything that waits for its next try gets it. */
  back(): Promise<void>;
  states(kind: string): Promise<string[]>;
}

async function start(server: 'gitea' | 'plane', match: RegExp): Promise<Drive> {
  const clock = leapClock();
  const started = await startCoding({ stages: ['development', 'deploy'], ci: () => 'success', appClock: clock });
  coding = started;
  const { line, id } = started;
  const { faults } = line.world[server];
  faults.push(lasting(match, away));
  let orders = 0;
  return {
    ...started,
    clock,
    asked: (wanted) => line.world[server].requests.filter((request) => wanted.test(request)).length,
    async command(name) {
      const body = { kind: 'command', name, by: 'operator' } as const;
      await line.app.store.post({ taskId: id, sourceKey: `command:${name}:${(orders += 1)}`, body });
    },
    async back() {
      faults.splice(0);
      for (let n = 0; n < 4; n += 1) {
        clock.skip(700_000);
        await line.tick();
        await line.work();
      }
    },
    states: async (kind) =>
      (await line.app.store.effects({ taskId: id, limit: 200 }))
        .filter(({ body }) => body.kind === kind)
        .map(({ state }) => state)
        .reverse(),
  };
}

const mergeRequest = /^POST .*\/pulls\/\d+\/merge/;

/** A merge that was asked for and that Gitea answers with 503. */
async function mergeWaits(): Promise<Drive> {
  const drive = await start('gitea', mergeRequest);
  await drive.reach('the merge to be tried', (row) => row.task.stage === 'deploy' && drive.asked(mergeRequest) > 0);
  expect(await drive.states('forge.merge_pull')).toEqual(['pending']);
  return drive;
}

async function mergedOnce(drive: Drive): Promise<void> {
  for (let n = 0; n < 20 && (await drive.line.task(drive.id)).task.stage !== 'done'; n += 1) {
    await drive.line.tick();
    await drive.line.work();
    drive.clock.skip(120_000);
  }
  await drive.reach('the end', (row) => row.task.stage === 'done');
  expect(drive.line.world.repo.pulls.map(({ merged }) => merged !== null)).toEqual([true]);
  expect((await drive.states('forge.merge_pull')).filter((state) => state === 'done')).toHaveLength(1);
  expect(await violations(null, drive.line.app.config.dbPath)).toEqual([]);
}

interface No {
  say: (drive: Drive) => Promise<void> | void;
  stage: string;
  unsay?: (drive: Drive) => Promise<void> | void;
}

const move = ({ line: { world }, item }: Drive, state: string): void => {
  world.plane.moveAs(world.people.lead, item, state);
};

const lastingNos: Record<string, No> = {
  'cancelled in Plane': {
    say: (drive) => move(drive, 'Cancelled'),
    stage: 'cancelled',
    unsay: (drive) => move(drive, 'In Progress'),
  },
  archived: {
    say: ({ line, item }) => line.world.plane.archive(item),
    stage: 'cancelled',
    unsay: ({ line, item }) => line.world.plane.unarchive(item),
  },
  deleted: { say: ({ line, item }) => line.world.plane.deleteItem(item), stage: 'cancelled' },
  'set Done': { say: (drive) => move(drive, 'Done'), stage: 'deploy', unsay: (drive) => move(drive, 'In Progress') },
  'orch cancel': { say: (drive) => drive.command('cancel'), stage: 'cancelled' },
  'orch pause': { say: (drive) => drive.command('pause'), stage: 'deploy', unsay: (drive) => drive.command('resume') },
};

test.each(Object.entries(lastingNos))(
  'a merge that waits for Gitea, and the item is meanwhile: %s',
  { timeout },
  async (_what, { say, stage, unsay }) => {
    const drive = await mergeWaits();
    await say(drive);
    // What Plane hides is noticed by the slow sweep.
    for (let n = 0; n < 3; n += 1) {
      drive.clock.skip(1_800_000);
      await drive.idle(1);
    }
    expect((await drive.line.task(drive.id)).task.stage, await drive.line.journal(drive.id)).toBe(stage);
    expect(await drive.states('forge.merge_pull')).toEqual(['withdrawn']);
    const before = drive.asked(mergeRequest);
    await drive.back();
    expect(drive.asked(mergeRequest)).toBe(before);
    expect(drive.line.world.repo.pulls.map(({ merged }) => merged)).toEqual([null]);
    if (unsay === undefined) return;
    await unsay(drive);
    await mergedOnce(drive);
    expect((await drive.line.task(drive.id)).task.counters.developerReruns).toBe(0);
  },
);

const sentBack: Record<string, (drive: Drive) => Promise<void> | void> = {
  ':rejected:': ({ line: { world }, item }) => {
    const comment = { comment_html: '<p>:rejected: not like this</p>' };
    addComment(world.plane.state, world.project, world.people.lead, item.id, comment);
  },
  'red CI': async ({ line: { world }, head }) => world.gitea.setStatus(world.repo, await head(), 'ci/test', 'failure'),
  'a request for changes': async ({ line: { world }, pull }) => {
    world.gitea.reviewAs(world.accounts.reviewer, world.repo, await pull(), 'REQUEST_CHANGES');
  },
};

test.each(Object.entries(sentBack))(
  'a merge that waits for Gitea, and what is merged is refused meanwhile: %s',
  { timeout },
  async (_what, say) => {
    const drive = await mergeWaits();
    const refused = await drive.head();
    await say(drive);
    await drive.reach('the way back', (row) => row.task.visit > 2);
    expect((await drive.states('forge.merge_pull'))[0]).toBe('withdrawn');
    await drive.back();
    await mergedOnce(drive);
    const { world } = drive.line;
    expect(await drive.head()).not.toBe(refused);
    expect(await world.gitea.readFile(world.repo, 'main', `src/${drive.id.toLowerCase()}.js`)).toContain(
      'revision = 2',
    );
  },
);

test.each([
  ['branch', 'git.start_branch', /git-receive-pack/],
  ['pull request', 'forge.open_pull', /^POST .*\/pulls$/],
] as const)(
  'the %s of an item that is cancelled while Gitea is away is not made',
  { timeout },
  async (what, kind, at) => {
    const drive = await start('gitea', at);
    const { world } = drive.line;
    await drive.reach('the first try', () => drive.asked(at) > 0);
    expect(await drive.states(kind)).toEqual(['pending']);
    move(drive, 'Cancelled');
    await drive.idle(2);
    await drive.back();
    expect(await drive.states(kind)).toEqual(['withdrawn']);
    expect(world.repo.pulls).toEqual([]);
    if (what === 'branch') expect(world.gitea.head(world.repo, await drive.branch())).toBeUndefined();
    move(drive, 'In Progress');
    await mergedOnce(drive);
  },
);

test('a late write of the state leaves a card that a person has cancelled where it is', { timeout }, async () => {
  const at = /^PATCH .*\/(work-items|issues)\//;
  const drive = await start('plane', at);
  const { line, item, id, clock } = drive;
  // No agent works yet, so that the task is still open.
  await drive.idle(3);
  expect(drive.asked(at)).toBeGreaterThan(0);
  move(drive, 'Cancelled');
  line.world.plane.faults.splice(0);
  clock.skip(700_000);
  // Delivered before any poll sees the card.
  await runRounds({ decisions: 0, delivered: 0, problems: [] }, line.app.engine);
  expect(line.world.plane.stateName(item)).toBe('Cancelled');
  await drive.back();
  expect(line.world.plane.stateName(item)).toBe('Cancelled');
  expect((await line.task(id)).task.stage).toBe('cancelled');
});
