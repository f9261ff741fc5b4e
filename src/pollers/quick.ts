import type { Forge, Hold, Mirror, NamedLease, ProjectPolicy, Task, TaskId } from '../core/model/index.ts';
import { errorText } from '../core/model/index.ts';
import { holds } from '../core/pipeline/rules/holds.ts';
import { askForgeOnce, askTrackerOnce } from '../core/engine/ask-once.ts';
import { runRounds } from '../core/engine/rounds.ts';
import { awaited, type ForgePollDeps } from './forge.ts';
import type { PollerParts } from './poll-once.ts';
import { pollTracker } from './tracker.ts';

/** For how long after it was asked somebody may be about to answer, milliseconds; later, the schedule is quick enough. */
const warmMs = 60 * 60_000;
/** What one look asks the forge at most: with more that wait, they take turns. */
const maxAsked = 10;

export interface QuickConfig {
  /** Milliseconds between two looks at what somebody waits for; 0: there are none. */
  quickMs: number;
  /** Requests to the tracker a minute that quick looks may be: a part of the budget. */
  quickRequests: number;
}

/** Looks between two ticks at the projects and tasks for which a person was asked or CI runs, and at nothing else. */
export interface QuickLooks {
  /** One look, and what follows from it. @returns milliseconds until the next one */
  turn(signal: AbortSignal): Promise<number>;
  /** A tick has looked at everything: what a quick look failed at may be looked at again. */
  ticked(): void;
}

/**
 * Quick looks. A person who was asked is heard through one list of the project, however many tasks of it wait; one project a look, in
 * turn, and never more of them a minute than the share of the budget. A server that fails is left to the schedule.
 * @param lead takes the lead; null: another poller has it
 */
export function createQuickLooks(
  parts: PollerParts,
  policies: ProjectPolicy[],
  { quickMs, quickRequests }: QuickConfig,
  lead: () => Promise<NamedLease | null>,
): QuickLooks {
  const { store, log } = parts;
  const failed = new Set<string>();
  let round = 0;

  async function guarded(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      failed.add(what);
      log.debug('quick look failed', { what, error: errorText(error) });
    }
  }

  async function turn(signal: AbortSignal): Promise<number> {
    const waiting = (await store.tasks({ active: true }))
      .map((row) => row.task)
      .filter((task) => isWarm(task.hold, store.now()));
    const asked = policies.filter(
      ({ projectId, name }) =>
        !failed.has(`tracker ${name}`) && waiting.some((task) => task.projectId === projectId && asksPerson(task)),
    );
    const forged = failed.has('forge') ? [] : waiting.filter((task) => asksForge(task) && knows(task));
    if (asked.length === 0 && forged.length === 0) return quickMs;
    const leader = await lead();
    if (leader === null) return quickMs;
    round += 1;
    const deps = { ...parts, forge: askForgeOnce(parts.forge), tracker: askTrackerOnce(parts.tracker) };
    const policy = asked[round % asked.length];
    if (policy !== undefined && (await hasRoom()))
      await guarded(`tracker ${policy.name}`, () => pollTracker(policy, { ...deps, leader }));
    if (forged.length > 0) await guarded('forge', () => lookAtForge(inTurn(forged), { ...deps, leader }));
    await runRounds({ decisions: 0, delivered: 0, problems: [] }, deps, signal);
    return asked.length === 0 ? quickMs : Math.max(quickMs / asked.length, 60_000 / quickRequests);
  }

  const knows = (task: Task): boolean =>
    policies.some(({ projectId, repo }) => projectId === task.projectId && repo === task.repo);
  /** The last third of the budget is for ticks, what is delivered, and other processes. */
  const hasRoom = async (): Promise<boolean> => (await parts.tracker.remaining()) > quickRequests;
  const inTurn = (tasks: Task[]): Task[] => {
    const first = (round * maxAsked) % tasks.length;
    return [...tasks.slice(first), ...tasks.slice(0, first)].slice(0, maxAsked);
  };

  async function lookAtForge(tasks: Task[], { forge, leader }: Pick<ForgePollDeps, 'forge' | 'leader'>): Promise<void> {
    const mirrors: { taskId: TaskId; mirror: Mirror }[] = [];
    for (const task of tasks) {
      if (mirrors.length >= maxAsked) break;
      for (const mirror of await forgeMirrors(task, forge)) mirrors.push({ taskId: task.id, mirror });
    }
    await store.observe({ leader, project: null, newTasks: [], mirrors, messages: [] });
  }

  async function forgeMirrors(task: Task, forge: Forge): Promise<Mirror[]> {
    if (task.hold?.cause === holds.pullReview.cause && task.prNumber !== null) {
      const reviews = await forge.reviews(task.repo, task.prNumber);
      return [{ kind: 'reviews', number: task.prNumber, reviews }];
    }
    const head = (await store.load(task.id))?.branch?.sha ?? null;
    const seen: Mirror[] = [];
    for (const sha of awaited(task, head))
      seen.push({ kind: 'statuses', sha, statuses: await forge.statuses(task.repo, sha) });
    return seen;
  }

  return { turn, ticked: () => failed.clear() };
}

/** A clock that was set back makes nobody wait longer. */
function isWarm(hold: Hold | null, now: number): hold is Hold {
  return hold !== null && Math.abs(now - hold.since) < warmMs;
}

function asksPerson({ hold }: Task): boolean {
  return hold !== null && hold.owner !== 'ci' && hold.owner !== 'orch';
}

function asksForge({ hold }: Task): boolean {
  return hold?.owner === 'ci' || hold?.cause === holds.pullReview.cause;
}
