import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EffectKind } from '../../src/core/model/index.ts';
import { crashPoints } from '../../src/core/platform/crash-point.ts';
import { letMergesRest, tasksIn } from '../support/crash.ts';
import { startCrashWorld, type CrashWorld } from '../support/crash-world.ts';
import { strikeAll, treesOf } from '../support/processes.ts';
import { violations } from '../support/violations.ts';

/** The long form is a command (`npm run test:crash`), the short one runs with every test. */
const long = process.env['ORCH_CRASH_LONG'] === '1';

/** Effects are delivered by kind; a kill between sending and recording is another case for each. */
const kinds = {
  'git.start_branch': true,
  'tracker.comment': true,
  'tracker.state': true,
  'chat.message': true,
  'forge.open_pull': true,
  'forge.post_review': true,
  'forge.answer_threads': true,
  'forge.merge_pull': true,
} satisfies Record<EffectKind, true>;
const points = [...crashPoints, ...Object.keys(kinds).map((kind) => `effect.sent:${kind}`)];

interface Case {
  at: string;
  /** Whether supervisor and agent die at the same moment. */
  together: boolean;
}
const cases: Case[] = long
  ? points.flatMap((at) => [false, true].map((together) => ({ at, together })))
  : points.map((at, n) => ({ at, together: n % 2 === 0 }));
const nameOf = ({ at, together }: Case): string => `${at}${together ? ' with its agent' : ''}`;

/** Points at which an agent is at work, or just about to be. */
const agentWorks = ['spawn.after', 'run.recorded'];

let crash: CrashWorld;
beforeAll(async () => {
  crash = await startCrashWorld({});
});
afterAll(async () => crash.close());

/** What is sent once a task only, by the stage in which that is about to happen. */
const sentIn: Record<string, EffectKind> = {
  new: 'git.start_branch',
  development: 'forge.open_pull',
  review: 'forge.post_review',
  testing: 'forge.merge_pull',
  deploy: 'forge.merge_pull',
};

/** What may come next where the task stands; everything else in turns. */
function suitable(left: Case[], stage: string, round: number): Case {
  const now = left.find(({ at }) => at === `effect.sent:${sentIn[stage] ?? ''}`);
  const bound = [...Object.values(sentIn), 'forge.answer_threads'];
  const anywhere = left.filter(({ at }) => !bound.some((kind) => at === `effect.sent:${kind}`));
  return now ?? anywhere[round % anywhere.length] ?? (left[0] as Case);
}

/** Runs a command that dies at the point; false when it ended before it came there. */
async function dies(args: string[], { at, together }: Case): Promise<boolean> {
  const ended = await crash.host.run(args, { ORCH_CRASH_AT: at });
  if (ended.signal !== 'SIGKILL') return false;
  if (!together) return true;
  const struck = strikeAll(treesOf(crash.root), 'SIGKILL');
  if (agentWorks.includes(at)) expect(struck, `no agent was alive at ${at}`).not.toEqual([]);
  return true;
}

test('killed once at every crash point, alone and with its agent, the line still ends in done, with everything outside once', async () => {
  const first = await crash.host.run(['serve-poller', '--once']);
  expect(first.code, first.stderr).toBe(0);
  let left = cases;
  for (let round = 0; round < 5 * cases.length && left.length > 0; round += 1) {
    const newest = tasksIn(crash.host.database).at(-1);
    const fresh = newest === undefined || newest.stage === 'done';
    if (fresh) crash.addItem();
    crash.people();
    const answering = left.find(({ at }) => at === 'effect.sent:forge.answer_threads');
    const stage = fresh ? 'new' : newest.stage;
    // The developer comes back for what somebody said at a line, and its answer is another effect.
    const asked = answering !== undefined && (stage === 'testing' || stage === 'development') && (await crash.object());
    const one = asked ? answering : suitable(left, stage, round);
    // An agent that is to die with its worker must not be done before.
    crash.slow(one.together && agentWorks.includes(one.at) ? 5_000 : 0);
    const died = (await dies(['serve-poller', '--once'], one)) || (await dies(['run-worker', '--once'], one));
    if (died) left = left.filter((other) => other !== one);
    letMergesRest(crash.host.database);
  }
  expect(left.map(nameOf)).toEqual([]);
  crash.slow(0);
  await finish();
  expect(crash.tasks()).toEqual(crash.items.map((item) => `ET-${String(item.sequence).padStart(3, '0')} done`));
  expect(await violations(crash.world, crash.host.database)).toEqual([]);
  expect(crash.seenByAgents()).toEqual([]);
  expect(treesOf(crash.root)).toEqual([]);
}, 1_200_000);

/** Holds that end by themselves, or by what people do here. */
const waiting = ['approval', 'ci', 'outside', 'cannot_see'];

async function finish(): Promise<void> {
  const ended = ({ stage, hold }: { stage: string; hold: string | null }): boolean =>
    stage === 'done' || (hold !== null && !waiting.includes(hold));
  for (let round = 0; round < 60; round += 1) {
    crash.people();
    await crash.host.run(['serve-poller', '--once']);
    await crash.host.run(['run-worker', '--until-empty']);
    if (tasksIn(crash.host.database).every(ended)) break;
  }
  // What the last run pushed is seen by the tick after it.
  await crash.host.run(['serve-poller', '--once']);
}
