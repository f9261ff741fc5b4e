import { afterEach, expect, test } from 'vitest';
import { overviewDocument, readOverview } from '../../src/commands/shared/overview.ts';
import { taskIdOf, type TaskId } from '../../src/core/model/index.ts';
import type { SandboxGitea } from '../../src/sandbox/gitea/server.ts';
import type { WorkItem } from '../../src/sandbox/plane/state.ts';
import { leapClock, type LeapClock } from '../support/leap-clock.ts';
import { startLine, type Line } from '../support/line.ts';
import { quiet } from '../support/matrix.ts';
import { servingWorker } from '../support/serving-worker.ts';
import { actionOf, lasting, retryAfterSeconds, type Trouble } from '../support/trouble.ts';
import { until } from '../support/until.ts';
import { violations } from '../support/violations.ts';

/** A peer that is away as a whole, or asks to be left alone, while everything in the task's way needs it. */
type Silence = Extract<Trouble, 'hang' | '429' | '429 in seconds' | '429 until a date'> | 'refused';
const silences: Silence[] = ['refused', 'hang', '429', '429 in seconds', '429 until a date'];
const words: Record<Silence, RegExp> = {
  refused: /cannot be reached/,
  hang: /cannot be reached|did not end within/,
  '429': /429|too many requests|slow down/i,
  '429 in seconds': /429|too many requests|slow down/i,
  '429 until a date': /429|too many requests|slow down/i,
};

const tickMs = 30_000;
const ticks = 3;
/** Requests of one tick and the worker's turn after it; a loop would be far above. */
const perTick = 12;
const timeout = 900_000;

let line: Line | null = null;
let stop: (() => Promise<void>) | null = null;
afterEach(async () => {
  await stop?.();
  await line?.close();
  line = stop = null;
});

interface Drive {
  line: Line;
  clock: LeapClock;
  server: Line['world']['plane'] | SandboxGitea;
  peer: 'plane' | 'gitea';
}

async function start(peer: 'plane' | 'gitea'): Promise<Drive> {
  const clock = leapClock();
  const started = await startLine({
    script: { roles: {} },
    appClock: clock,
    configure: (config) =>
      Object.assign(config, {
        timeouts: { readSeconds: 2, writeSeconds: 2, mergeSeconds: 5, gitSeconds: 5, transferSeconds: 5 },
      }),
    prepare: (world) => {
      const [project] = world.config['projects'] as Record<string, unknown>[];
      Object.assign(project ?? {}, { pipelines: { default: { stages: ['development', 'deploy'] } } });
      return Promise.resolve();
    },
  });
  line = started;
  const stopping = new AbortController();
  const served = servingWorker(started.app).serve(stopping.signal);
  stop = async () => {
    stopping.abort();
    clock.skip(60_000);
    await served;
  };
  await started.tick();
  return { line: started, clock, peer, server: peer === 'plane' ? started.world.plane : started.world.gitea };
}

/** A tick, and what the worker makes of it: agents end, publishing that fails waits for its backoff. */
async function turn({ line: { app, tick } }: Drive): Promise<void> {
  await tick();
  await quiet(app.store);
}

const isApi = (request: string): boolean => request.includes('/api/v1/');
/** What a 429 is believed for: the list of a repository's pull requests, the rest of a repository, all of Plane. */
const placeOf = (request: string): string =>
  /\/api\/v1\/repos\/[^/]+\/[^/?]+(?:\/pulls(?![^?]))?/.exec(request)?.[0] ?? '';

/** Some ticks in which the peer is silent: counted, and shown by `status`. Answers nothing; what is wrong throws. */
async function meet(drive: Drive, silence: Silence, when: string): Promise<void> {
  const { server, peer, clock, line: run } = drive;
  const asked = silence.startsWith('429 ');
  const limited = silence.startsWith('429');
  const rule =
    silence === 'refused'
      ? null
      : lasting(silence === 'hang' || peer === 'plane' ? /./ : /\/api\/v1\//, actionOf(silence, peer, ''));
  if (rule === null) await server.pause();
  else server.faults.push(rule);
  const counts: number[] = [];
  const places: Set<string>[] = [];
  for (let n = 0; n < ticks; n += 1) {
    const [from, at] = [server.requests.length, clock.now()];
    await turn(drive);
    const requests = server.requests.slice(from).filter((request) => !limited || isApi(request));
    const seen = requests.length;
    places.push(new Set(requests.map(placeOf)));
    // On a busy machine a turn may last longer than the ticks that it stands for.
    counts.push(Math.ceil(seen / (1 + (clock.now() - at) / tickMs)));
    clock.skip(tickMs);
  }
  const what = `${peer}, ${silence}, ${when}: ${counts.join(', ')} requests`;
  expect(Math.max(...counts), what).toBeLessThanOrEqual(perTick);
  const said = JSON.stringify(overviewDocument(await readOverview(run.app.store, run.app.config, false)));
  expect(said, what).toMatch(words[silence]);
  if (rule === null) await server.resume();
  else server.faults.splice(server.faults.indexOf(rule), 1);
  if (!asked) return;
  // What it asked for is kept in each place, also when it would answer again; and not for longer.
  const from = server.requests.length;
  await turn(drive);
  places.push(new Set(server.requests.slice(from).filter(isApi).map(placeOf)));
  const again = places.flatMap((now, n) =>
    [...now].filter((place) => places.slice(0, n).some((old) => old.has(place))),
  );
  expect(again, what).toEqual([]);
  clock.skip((retryAfterSeconds + 60) * 1000);
}

async function reach(drive: Drive, id: TaskId, what: string, there: (stage: string) => boolean): Promise<void> {
  for (let n = 0; n < 60; n += 1) {
    const row = await drive.line.app.store.task(id);
    if (row !== null && there(row.task.stage) && row.liveJob === null) return;
    await turn(drive);
    drive.clock.skip(120_000);
  }
  throw new Error(`${what}\n${await drive.line.journal(id)}`);
}

/** Everything that was decided for the task is delivered: the last effect may wait for its next try. */
async function delivered(drive: Drive, id: TaskId): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    drive.clock.skip(120_000);
    await turn(drive);
    if ((await drive.line.app.store.task(id))?.pendingEffects === 0) return;
  }
  throw new Error(`not everything was delivered\n${await drive.line.journal(id)}`);
}

function add({ line: { world } }: Drive): { item: WorkItem; id: TaskId } {
  const item = world.plane.addItem(world.project, world.people.lead, {
    name: 'Quantities add up',
    description_html: '<p>The quantities of all lines of a cart are added up.</p>',
  });
  return { item, id: taskIdOf('ET', item.sequence) };
}

/** Comments, pull request and merge once each, no hold, no run that would not have been. */
async function check({ line: { app, world } }: Drive, item: WorkItem, id: TaskId): Promise<void> {
  const row = await app.store.task(id);
  expect(row?.task).toMatchObject({ stage: 'done', hold: null });
  expect(row?.meta.runs).toBe(2);
  const keys = world.plane.commentsOf(item).map(({ externalId }) => externalId);
  expect(new Set(keys).size).toBe(keys.length);
  const pulls = world.repo.pulls.filter(({ head }) => head === row?.task.branch);
  expect(pulls.map(({ merged }) => merged !== null)).toEqual([true]);
  expect(world.plane.stateName(item)).toBe('Done');
}

test.each(['plane', 'gitea'] as const)(
  '%s away, hanging or asking to be spared: left in peace, said by status, and nothing is lost or doubled',
  { timeout },
  async (peer) => {
    const drive = await start(peer);
    const { app, world } = drive.line;
    for (const silence of silences) {
      const { item, id } = add(drive);
      // Plane is silent before the item was seen; Gitea has work to do only after that.
      if (peer === 'plane') await meet(drive, silence, 'before the item was seen');
      await reach(drive, id, `${silence}: not in development`, (stage) => stage === 'development');
      const { branch } = (await drive.line.task(id)).task;
      world.gitea.setStatus(world.repo, world.gitea.head(world.repo, branch) ?? '', 'ci/test', 'success');
      await meet(drive, silence, 'before the merge');
      await reach(drive, id, `${silence}: not done`, (stage) => stage === 'done');
      await delivered(drive, id);
      await check(drive, item, id);
    }
    expect(await violations(null, app.config.dbPath)).toEqual([]);
    const { troubles } = overviewDocument(await readOverview(app.store, app.config, false));
    expect(troubles).toEqual([]);
  },
);

test(
  'Telegram away, hanging, refusing or asking to be spared: the line goes on, alerts come later',
  { timeout },
  async () => {
    const drive = await start('plane');
    const { world, app } = drive.line;
    const { telegram } = world;
    const answers = [
      { kind: 'hang' },
      { kind: 'answer', status: 429, body: { ok: false, parameters: { retry_after: 60 } } },
      { kind: 'answer', status: 500, body: {} },
      { kind: 'html' },
      { kind: 'truncated' },
    ] as const;
    for (const action of answers) {
      telegram.faults.splice(0, telegram.faults.length, lasting(/./, action));
      const sent = telegram.messages.length;
      // An alert: it must arrive in the end. Information, of which the good item has plenty, may be lost.
      world.plane.addItem(world.project, world.people.lead, {
        name: `Nothing said ${action.kind}`,
        description_html: '<p>?</p>',
      });
      const { item, id } = add(drive);
      await reach(drive, id, `${action.kind}: not in development`, (stage) => stage === 'development');
      const { branch } = (await drive.line.task(id)).task;
      world.gitea.setStatus(world.repo, world.gitea.head(world.repo, branch) ?? '', 'ci/test', 'success');
      await reach(drive, id, `${action.kind}: not done`, (stage) => stage === 'done');
      await turn(drive);
      // The worker may still be delivering, and Telegram's messages wait: what is to be delivered is the state in Plane.
      await until('the work item to show Done', () => world.plane.stateName(item) === 'Done');
      await check(drive, item, id);
      const said = JSON.stringify(overviewDocument(await readOverview(app.store, app.config, false)));
      expect(said, action.kind).toMatch(/Telegram/);
      telegram.faults.splice(0);
      for (let n = 0; n < 8; n += 1) {
        drive.clock.skip(700_000);
        await turn(drive);
      }
      expect(telegram.messages.length, action.kind).toBeGreaterThan(sent);
      const after = overviewDocument(await readOverview(app.store, app.config, false));
      expect(after['troubles']).toEqual([]);
    }
  },
);
