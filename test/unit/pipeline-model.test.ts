import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { reconcile } from '../../src/core/engine/reconcile.ts';
import type {
  Decision,
  DecisionRow,
  LinkedPolicy,
  ProjectPolicy,
  Store,
  TaskRow,
  Visit,
  WorkStage,
} from '../../src/core/model/index.ts';
import { isFinal } from '../../src/core/model/index.ts';
import { newTask } from '../../src/core/pipeline/intake.ts';
import { defaultPipeline, edges } from '../../src/core/pipeline/stages/index.ts';
import type { Clock } from '../../src/core/platform/clock.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { emptyImage, memoryStore, type MemoryStore } from '../support/memory-database.ts';
import { headCode, rowOf, steps, type Game, type StepName } from '../support/pipeline-play.ts';
import { isAncestor, newWorld, peersOf, type WorldState } from '../support/pipeline-world.ts';
import { branch, policy, taskId } from '../support/snapshots.ts';
import { testSeed } from '../support/seed.ts';

class Crash extends Error {}

/** Rules that may change the stage off the table: facts of the outside and commands by name. */
const offTable = ['advance.forced', 'command.cancel', 'world.merged', 'world.cancelled', 'world.reopened'];

/** Hooks of one try: what a test wants to happen around a commit. */
interface Around {
  before?: (decision: Decision) => Promise<void> | void;
  after?: (decision: Decision) => Promise<void>;
  rest?: () => void;
}

function watched(store: Store, around: Around): Store {
  return {
    ...store,
    commit: async (id, version, decision) => {
      await around.before?.(decision);
      const answer = await store.commit(id, version, decision);
      if (answer === 'ok') await around.after?.(decision);
      return answer;
    },
    rest: async (...asked) => {
      around.rest?.();
      await store.rest(...asked);
    },
  };
}

async function settle(game: Game, data: MemoryStore, around: Around = {}): Promise<void> {
  const { git, forge } = peersOf(() => game.world);
  const store = watched(data.store, around);
  try {
    await reconcile(taskId, { database: '0123abcd', store, git, forge, policyOf: () => game.policy, log: silentLog });
  } catch (error) {
    if (error instanceof Crash) throw error;
    throw new Error(await stuck(data), { cause: error });
  }
}

/** What must come out the same whatever the way there: invariant 2. */
async function facts(data: MemoryStore): Promise<unknown> {
  const { task, liveJob: live, queuedMessages } = await rowOf(data);
  const hold = task.hold === null ? null : { cause: task.hold.cause, text: task.hold.text, detail: task.hold.detail };
  return {
    stage: task.stage,
    visit: task.visit,
    hold,
    paused: task.paused,
    phase: task.phase,
    counters: task.counters,
    live: live === null ? null : { cause: live.cause, state: live.state, cancel: live.cancelRequested },
    unhandled: queuedMessages,
    effects: data.rows('SELECT body FROM outbox ORDER BY id'),
  };
}

/** A task between two commits. */
interface Moment extends TaskRow {
  visit: Visit | null;
}

async function momentOf(data: MemoryStore): Promise<Moment> {
  const row = await rowOf(data);
  return { ...row, visit: (await data.store.visits(taskId)).find(({ n }) => n === row.task.visit) ?? null };
}

/** Handled messages that are younger than one that is not. */
function disordered({ rows }: MemoryStore): unknown[] {
  return rows(`SELECT id FROM messages WHERE handled_at IS NOT NULL
    AND id > (SELECT min(id) FROM messages WHERE handled_at IS NULL)`);
}

/** Invariants 1, 3, 4, 5 and 7, looked at with every commit. */
function check(game: Game, before: Moment, { task, meta }: Moment, decision: Decision): void {
  const { data, policy: rules } = game;
  const { why } = decision;
  expect(meta.version).toBe(before.meta.version + 1);
  expect(disordered(data), 'messages are handled in order').toEqual([]);
  const from = before.task.stage;
  const to = task.stage;
  if (from !== to && !offTable.includes(why.rule)) {
    const first = task.pipelineStages.length < defaultPipeline.length;
    if (!first) expect(edges.map((edge) => `${edge.from}>${edge.to}`)).toContain(`${from}>${to}`);
    expect(Object.keys(why.evidence), `${why.rule} names what it judged`).not.toEqual([]);
  }
  expect(data.rows(`SELECT id FROM jobs WHERE state IN ('queued', 'delayed', 'running')`).length).toBeLessThanOrEqual(
    1,
  );
  expect(task.counters.developerReruns).toBeLessThanOrEqual(rules.caps.developerReruns);
  for (const counter of ['developerReruns', 'questionRounds', 'rejections', 'conflictRounds'] as const) {
    if (task.counters[counter] < before.task.counters[counter]) expect(why.rule).toBe('command.retry');
  }
  checkGate(game, before, decision);
  checkMerge(game, task, decision);
}

/** A passed gate names a subject of the visit it ends: new blobs, the head's code, an approval of just these documents. */
function checkGate({ world }: Game, { visit }: Moment, { why }: Decision): void {
  const old = visit?.baseline.artifacts ?? {};
  switch (why.rule) {
    case 'analysis.approved':
      expect(why.evidence['comment']).toBe(visit?.approved?.commentId);
      expect(
        Object.keys(old).some((path) => old[path] === why.evidence[path]) ? changed(old, why.evidence) : true,
      ).toBe(true);
      break;
    case 'architecture.done':
    case 'testing.passed':
      expect(changed(old, why.evidence)).toBe(true);
      break;
    case 'development.green':
      expect(why.evidence['code_tree']).toBe(headCode(world));
      expect(why.evidence['code_tree']).not.toBe(visit?.baseline.codeTree);
      break;
    case 'review.approved':
      expect(why.evidence['code_tree']).toBe(headCode(world));
      break;
    default:
  }
}

function changed(old: Record<string, string>, now: Record<string, string>): boolean {
  return Object.entries(now).some(([path, blob]) => /^\d\d-/.test(path) && old[path] !== blob);
}

/** A merge is asked for the very head that stands on the server, with the code that was approved. */
function checkMerge({ world }: Game, task: TaskRow['task'], decision: Decision): void {
  for (const { body } of decision.effects) {
    if (body.kind !== 'forge.merge_pull') continue;
    expect(body.head).toBe(world.heads[branch]);
    const approved = task.progress.approvedCode['review'];
    if (approved !== undefined && task.pipelineStages.includes('review')) expect(headCode(world)).toBe(approved);
  }
}

/** Invariants 1 and 8, at rest. */
async function checkRest({ data }: Game): Promise<void> {
  const { task, meta, liveJob, pendingEffects, queuedMessages } = await rowOf(data);
  expect(queuedMessages).toBe(0);
  if (isFinal(task.stage)) return;
  const goesOn = pendingEffects > 0 || meta.wakeAt !== null || liveJob !== null || task.paused;
  if (task.hold !== null) {
    expect(task.hold.clearedBy).not.toBe('');
    expect(task.hold.blocking ? task.hold.command : 'orch retry').toMatch(/^orch retry/);
    // A wait for orch itself must have something that ends it.
    if (task.hold.cause !== 'outside' && task.hold.cause !== 'cannot_see') return;
  }
  if (!goesOn) throw new Error(await stuck(data));
}

async function decisionsOf({ store }: MemoryStore): Promise<DecisionRow[]> {
  return (await store.decisions({ taskId, limit: 10_000 })).reverse();
}

async function stuck(data: MemoryStore): Promise<string> {
  const { task, meta } = await rowOf(data);
  const { stage, hold, progress } = task;
  const last = (await decisionsOf(data)).slice(-12).map((row) => `${row.version} ${row.why.rule}: ${row.why.sentence}`);
  const stay = (await data.store.load(taskId))?.visit;
  return JSON.stringify({ stage, hold, progress, stay, last, wakeAt: meta.wakeAt }, null, 1);
}

type Manner = 'plain' | 'crash' | 'race';

/** Reconciles: plainly; killed before and after every call of the store and started again; with a second leader in every commit. */
async function bringToRest(game: Game, manner: Manner): Promise<void> {
  const { data } = game;
  const image = manner === 'plain' ? null : data.image();
  let commits = 0;
  let before = await momentOf(data);
  const after = async (decision: Decision): Promise<void> => {
    const now = await momentOf(data);
    check(game, before, now, decision);
    before = now;
    commits += 1;
  };
  if (manner === 'plain') await settle(game, data, { after });
  else if (manner === 'race') await settleInRace(game, after);
  else await settleInCrashes(game, after);
  await checkRest(game);
  // Where nothing was decided there was nothing to disturb.
  if (image === null || commits === 0) return;
  const twin = memoryStore(image, clockOf(game.world));
  await settle(game, twin);
  expect(await facts(data)).toEqual(await facts(twin));
  await twin.store.close();
}

async function settleInRace(game: Game, after: NonNullable<Around['after']>): Promise<void> {
  let busy = false;
  const other = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    await settle(game, game.data, { after });
    busy = false;
  };
  await settle(game, game.data, { before: other, after });
}

async function settleInCrashes(game: Game, after: NonNullable<Around['after']>): Promise<void> {
  for (let kills = 0; ; kills += 1) {
    const die = (): void => {
      if (kills % 2 === 0) throw new Crash();
    };
    try {
      return await settle(game, game.data, {
        before: die,
        after: async (decision) => {
          await after(decision);
          throw new Crash();
        },
        rest: die,
      });
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      await steps.repeat(game, -1);
    }
  }
}

const lines: Record<string, WorkStage[]> = {
  all: [...defaultPipeline],
  audit: ['analysis', 'testing'],
  short: ['development', 'review', 'deploy'],
};

let empty: Buffer;
beforeAll(async () => {
  empty = await emptyImage();
});

const clockOf = (world: WorldState): Clock => ({ now: () => world.now, sleep: () => Promise.resolve() });

async function newGame(rules: LinkedPolicy): Promise<Game> {
  const world = newWorld();
  const data = memoryStore(empty, clockOf(world));
  await data.store.addTask(newTask(world.item, rules, world.now), structuredClone(world.item));
  return { world, data, policy: rules };
}

const rulesOf = fc
  .record({
    line: fc.constantFrom('all', 'all', 'all', 'audit', 'short'),
    development: fc.constantFrom('ci-green', 'tests-local'),
    review: fc.constantFrom(['reviewer-verdict'], ['pr-approved'], ['reviewer-verdict', 'pr-approved']),
    merge: fc.constantFrom('orch', 'agent'),
    runs: fc.constantFrom(6, 30),
  } as const)
  .map(({ line, development, review, merge, runs }) =>
    policy({
      pipelines: { default: { stages: lines[line] ?? [...defaultPipeline], label: null } },
      gates: { development, review: [...review] as ProjectPolicy['gates']['review'] },
      deploy: { merge, mergeStyle: 'merge' },
      caps: { ...policy().caps, runs },
    }),
  );

/** Progress is likelier than trouble, or no game would come far. */
const weights: Record<StepName, number> = {
  start: 10,
  finish: 10,
  fail: 1,
  again: 1,
  deliver: 16,
  refuse: 1,
  poll: 8,
  wake: 1,
  clock: 3,
  comment: 5,
  repeat: 1,
  ci: 6,
  review: 3,
  push: 1,
  branch: 1,
  pull: 1,
  item: 1,
  server: 1,
  command: 3,
};

const moves = fc.array(
  fc.record({
    step: fc.oneof(
      ...Object.entries(weights).map(([name, weight]) => ({ weight, arbitrary: fc.constant(name as StepName) })),
    ),
    // Small numbers are good work; they are likelier.
    choice: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(59) }),
    manner: fc.constantFrom<Manner | 'later'>('plain', 'crash', 'race', 'later'),
  }),
  { minLength: 5, maxLength: 60, size: 'max' },
);

/** One round in which everybody does what is asked of them. */
async function cooperate(game: Game): Promise<void> {
  const { world, data } = game;
  Object.assign(world, { down: false, conflict: false, refuses: false });
  const last = await repair(game);
  world.now = Math.max(world.now, lastDue(data)) + 70_000;
  for (let n = 0; n < 12; n += 1) await steps.deliver(game, 0);
  Object.assign(world.item, { stateName: 'In Progress', stateGroup: 'started', present: true, updatedByAllowed: true });
  await steps.poll(game);
  await bringToRest(game, 'plain');
  await steps.start(game);
  await steps.finish(game, 0);
  for (const context of [0, 1]) steps.ci(game, context);
  const { stage, hold, paused } = (await rowOf(data)).task;
  if (last?.state === 'open' && (stage === 'review' || hold?.cause === 'pr_review'))
    for (const who of [0, 4]) steps.review(game, who);
  if (hold?.cause === 'approval') await steps.comment(game, 1);
  if (hold?.cause === 'answers') await steps.comment(game, 0);
  if (paused) await steps.command(game, 3);
  if (hold?.blocking === true) await steps.command(game, 0);
  await bringToRest(game, 'plain');
}

/** When all that waits for its time is due, whatever the clock did meanwhile. */
function lastDue({ rows }: MemoryStore): number {
  const [row] = rows<{ at: number | null }>(`SELECT max(at) AS at FROM (SELECT available_at AS at FROM jobs
    UNION ALL SELECT max(available_at, coalesce(lease_expires_at, 0)) FROM outbox WHERE settled_at IS NULL)`);
  return row?.at ?? 0;
}

/** What was deleted or closed by hand is put back. */
async function repair({ world, data }: Game): Promise<WorldState['pulls'][number] | undefined> {
  const last = world.pulls.at(-1);
  if (last !== undefined && !last.merged) {
    world.heads[branch] ??= last.headSha;
    Object.assign(last, { state: 'open', headSha: world.heads[branch] });
  }
  const visit = (await data.store.load(taskId))?.visit;
  const finished = visit?.finished?.sha ?? visit?.baseline.sha;
  if (finished != null && last?.merged !== true) world.heads[branch] ??= finished;
  return last;
}

describe('the pipeline as a whole', () => {
  it('keeps its invariants in any order of events, and comes to an end when everybody does their part', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(rulesOf, fc.nat(12), moves, async (rules, depth, played) => {
        const game = await newGame(rules);
        await steps.poll(game);
        for (let round = 0; round < depth; round += 1) await cooperate(game);
        for (const { step, choice, manner } of played) {
          await steps[step](game, choice);
          if (manner !== 'later') await bringToRest(game, manner);
        }
        const ended = async (): Promise<boolean> => isFinal((await rowOf(game.data)).task.stage);
        for (let round = 0; round < 100 && !(await ended()); round += 1) await cooperate(game);
        expect(await ended(), (await ended()) ? '' : await stuck(game.data)).toBe(true);
        for (const row of await decisionsOf(game.data)) seen.add(row.why.rule);
        for (const head of game.world.merges)
          expect(isAncestor(game.world, head, game.world.heads['main'] ?? '')).toBe(true);
        await game.data.store.close();
      }),
      {
        numRuns: Number(process.env['ORCH_MODEL_RUNS'] ?? 250),
        interruptAfterTimeLimit: 50_000,
        seed: testSeed(20),
      },
    );
    if (process.env['ORCH_MODEL_SHOW'] !== undefined) console.log([...seen].sort().join('\n'));
  });
});
