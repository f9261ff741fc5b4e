import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reconcile } from '../../src/core/engine/reconcile.ts';
import type { Decision, ProjectPolicy, Task, WorkStage } from '../../src/core/model/index.ts';
import { isFinal, workStages } from '../../src/core/model/index.ts';
import { newTask } from '../../src/core/pipeline/intake.ts';
import { edges } from '../../src/core/pipeline/table.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { liveJob, newMemory, storeOver, type Around, type MemoryState } from '../support/memory-store.ts';
import { headCode, steps, type Game, type StepName } from '../support/pipeline-play.ts';
import { isAncestor, newWorld, peersOf } from '../support/pipeline-world.ts';
import { branch, policy, taskId } from '../support/snapshots.ts';

class Crash extends Error {}

/** Rules that may change the stage off the table: facts of the outside and commands by name. */
const offTable = ['advance.forced', 'command.cancel', 'world.merged', 'world.cancelled', 'world.reopened'];

async function settle(game: Game, state: MemoryState, around: Around = {}): Promise<void> {
  const { git, gitea } = peersOf(() => game.world);
  const store = storeOver(
    () => state,
    () => game.world.now,
    around,
  );
  try {
    await reconcile(taskId, { store, git, gitea, policyOf: () => game.policy, log: silentLog });
  } catch (error) {
    if (error instanceof Crash) throw error;
    throw new Error(stuck(state), { cause: error });
  }
}

/** What must come out the same whatever the way there: invariant 2. */
function facts(state: MemoryState): unknown {
  const { task } = state;
  const hold = task.hold === null ? null : { cause: task.hold.cause, text: task.hold.text, detail: task.hold.detail };
  const live = liveJob(state);
  return {
    stage: task.stage,
    visit: task.visit,
    hold,
    paused: task.paused,
    phase: task.phase,
    counters: task.counters,
    live: live === null ? null : { cause: live.cause, state: live.state, cancel: live.cancelRequested },
    unhandled: state.messages.filter((message) => !message.handled).length,
    effects: state.effects.map((effect) => effect.body),
  };
}

/** Invariants 1, 3, 4, 5 and 7, looked at with every commit. */
function check(game: Game, before: MemoryState, decision: Decision): void {
  const { state, policy: rules } = game;
  const { why } = decision;
  expect(state.meta.version).toBe(before.meta.version + 1);
  const handled = state.messages.map((message) => message.handled);
  expect(handled, 'messages are handled in order').toEqual([...handled].sort((a, b) => Number(b) - Number(a)));
  const from = before.task.stage;
  const to = state.task.stage;
  if (from !== to && !offTable.includes(why.rule)) {
    const first = state.task.pipelineStages.length < workStages.length;
    if (!first) expect(edges.map((edge) => `${edge.from}>${edge.to}`)).toContain(`${from}>${to}`);
    expect(Object.keys(why.evidence), `${why.rule} names what it judged`).not.toEqual([]);
  }
  expect(state.jobs.filter((job) => ['queued', 'delayed', 'running'].includes(job.state)).length).toBeLessThanOrEqual(
    1,
  );
  expect(state.task.counters.developerReruns).toBeLessThanOrEqual(rules.caps.developerReruns);
  for (const counter of ['developerReruns', 'questionRounds', 'rejections', 'conflictRounds'] as const) {
    if (state.task.counters[counter] < before.task.counters[counter]) expect(why.rule).toBe('command.retry');
  }
  checkGate(game, before, decision);
  checkMerge(game, decision);
}

/** A passed gate names a subject of the visit it ends: new blobs, the head's code, an approval of just these documents. */
function checkGate({ world }: Game, before: MemoryState, { why }: Decision): void {
  const visit = before.visits[before.task.visit];
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
function checkMerge({ world, state }: Game, decision: Decision): void {
  for (const { body } of decision.effects) {
    if (body.kind !== 'gitea.merge') continue;
    expect(body.head).toBe(world.heads[branch]);
    const approved = state.task.handled['approved_code'];
    if (approved !== undefined && state.task.pipelineStages.includes('review')) expect(headCode(world)).toBe(approved);
  }
}

/** Invariants 1 and 8, at rest. */
function checkRest({ state }: Game): void {
  const { task } = state;
  expect(state.messages.filter((message) => !message.handled)).toEqual([]);
  if (isFinal(task.stage)) return;
  const pending = state.effects.some((effect) => effect.state === 'pending');
  if (task.hold !== null) {
    expect(task.hold.clearedBy).not.toBe('');
    expect(task.hold.blocking ? task.hold.command : 'orch retry').toMatch(/^orch retry/);
    // A wait for orch itself must have something that ends it.
    if (task.hold.cause === 'outside' || task.hold.cause === 'cannot_see')
      expect(pending || state.meta.wakeAt !== null || liveJob(state) !== null || task.paused, stuck(state)).toBe(true);
    return;
  }
  expect(liveJob(state) !== null || pending || state.meta.wakeAt !== null || task.paused, stuck(state)).toBe(true);
}

function stuck(state: MemoryState): string {
  const { stage, hold, visit, handled } = state.task;
  const last = state.decisions.slice(-12).map((row) => `${row.version} ${row.why.rule}: ${row.why.sentence}`);
  return JSON.stringify({ stage, hold, handled, stay: state.visits[visit], last, wakeAt: state.meta.wakeAt }, null, 1);
}

type Manner = 'plain' | 'crash' | 'race';

/** Reconciles: plainly; killed before and after every call of the store and started again; with a second leader in every commit. */
async function bringToRest(game: Game, manner: Manner): Promise<void> {
  const twin = structuredClone(game.state);
  let before = structuredClone(game.state);
  const after = (decision: Decision): void => {
    check(game, before, decision);
    before = structuredClone(game.state);
  };
  if (manner === 'plain') {
    await settle(game, game.state, { after });
  } else if (manner === 'race') {
    let busy = false;
    const other = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      await settle(game, game.state, { after });
      busy = false;
    };
    await settle(game, game.state, { before: other, after });
  } else {
    for (let kills = 0; ; kills += 1) {
      try {
        await settle(game, game.state, {
          before: () => {
            if (kills % 2 === 0) throw new Crash();
          },
          after: (decision) => {
            after(decision);
            throw new Crash();
          },
          rest: () => {
            if (kills % 2 === 0) throw new Crash();
          },
        });
        break;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        game.state.messages.slice(-1).forEach((last) => steps.repeat(game, game.state.messages.indexOf(last)));
      }
    }
  }
  checkRest(game);
  if (manner === 'plain') return;
  await settle(game, twin);
  expect(facts(game.state)).toEqual(facts(twin));
}

const lines: Record<string, WorkStage[]> = {
  all: workStages,
  audit: ['analysis', 'testing'],
  short: ['development', 'review', 'deploy'],
};

function newGame(rules: ProjectPolicy): Game {
  const world = newWorld();
  const task: Task = newTask(world.item, rules, world.now);
  return { world, state: newMemory(task), policy: rules };
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
      pipelines: { default: { stages: lines[line] ?? workStages, label: null } },
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
  const { world, state } = game;
  Object.assign(world, { down: false, conflict: false, refuses: false });
  const last = repair(game);
  world.now = Math.max(world.now, ...state.jobs.map((job) => job.availableAt)) + 70_000;
  for (let n = 0; n < 12; n += 1) steps.deliver(game, 0);
  Object.assign(world.item, { stateName: 'In Progress', stateGroup: 'started', present: true, updatedByAllowed: true });
  steps.poll(game);
  await bringToRest(game, 'plain');
  steps.start(game);
  steps.finish(game, 0);
  for (const context of [0, 1]) steps.ci(game, context);
  if (last?.state === 'open' && state.task.stage === 'review') for (const who of [0, 4]) steps.review(game, who);
  if (state.task.hold?.cause === 'approval') steps.comment(game, 1);
  if (state.task.hold?.cause === 'answers') steps.comment(game, 0);
  if (state.task.paused) steps.command(game, 3);
  if (state.task.hold?.blocking === true) steps.command(game, 0);
  await bringToRest(game, 'plain');
}

/** What was deleted or closed by hand is put back. */
function repair({ world, state }: Game): Game['world']['pulls'][number] | undefined {
  const last = world.pulls.at(-1);
  if (last !== undefined && !last.merged) {
    world.heads[branch] ??= last.headSha;
    Object.assign(last, { state: 'open', headSha: world.heads[branch] });
  }
  const visit = state.visits[state.task.visit];
  const finished = visit?.finished?.sha ?? visit?.baseline.sha;
  if (finished != null && last?.merged !== true) world.heads[branch] ??= finished;
  return last;
}

describe('the pipeline as a whole', () => {
  it('keeps its invariants in any order of events, and comes to an end when everybody does their part', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(rulesOf, fc.nat(12), moves, async (rules, depth, played) => {
        const game = newGame(rules);
        steps.poll(game);
        for (let round = 0; round < depth; round += 1) await cooperate(game);
        for (const { step, choice, manner } of played) {
          steps[step](game, choice);
          if (manner !== 'later') await bringToRest(game, manner);
        }
        for (let round = 0; round < 100 && !isFinal(game.state.task.stage); round += 1) await cooperate(game);
        expect(isFinal(game.state.task.stage), stuck(game.state)).toBe(true);
        for (const row of game.state.decisions) seen.add(row.why.rule);
        for (const head of game.world.merges)
          expect(isAncestor(game.world, head, game.world.heads['main'] ?? '')).toBe(true);
      }),
      {
        numRuns: Number(process.env['ORCH_MODEL_RUNS'] ?? 250),
        interruptAfterTimeLimit: 50_000,
        seed: Number(process.env['ORCH_MODEL_SEED'] ?? 20),
      },
    );
    if (process.env['ORCH_MODEL_SHOW'] !== undefined) console.log([...seen].sort().join('\n'));
  });
});
