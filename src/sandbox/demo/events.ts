import type { Role, Run, Stage, Store, TaskId } from '../../core/model/index.ts';

/** What a spectator sees, in the order it happened; `at` is milliseconds since the epoch. */
export type DemoEvent = { at: number } & (
  | { kind: 'task'; id: TaskId; title: string; branch: string }
  | { kind: 'stage'; from: Stage; to: Stage; why: string }
  | { kind: 'waits'; cause: string; why: string }
  | { kind: 'started'; role: Role; attempt: number }
  | { kind: 'finished'; role: Role; ok: boolean; ms: number; costMicros: number | null; said: string }
  | { kind: 'pull'; number: number }
  | { kind: 'answered'; by: string; text: string }
);

export interface Spectator {
  /** Looks at the database and reports what is new; calls one after the other. */
  look(): Promise<void>;
}

/** More than a demonstration writes. */
const maxRows = 200;

/**
 * Reports the events of one task from what orch keeps of it, so that the demonstration shows what really happened: state is
 * compared, an event is reported once, however often it is seen.
 */
export function createSpectator(store: Store, taskId: TaskId, report: (event: DemoEvent) => void): Spectator {
  const reported = new Set<string>();
  let lastDecision = 0;
  let lastHold: string | null = null;
  let turn: Promise<void> = Promise.resolve();

  function once(key: string, event: DemoEvent): DemoEvent[] {
    if (reported.has(key)) return [];
    reported.add(key);
    return [event];
  }

  function ofRun(run: Run): DemoEvent[] {
    const { role, attempt, outcome, endedAt } = run;
    const events = once(`start ${run.id}`, { at: run.startedAt, kind: 'started', role, attempt });
    if (outcome === null || endedAt === null) return events;
    const ok = outcome.kind === 'success';
    const said = outcome.result?.summary ?? outcome.detail;
    const costMicros = outcome.costMicros;
    const ms = endedAt - run.startedAt;
    return [...events, ...once(`end ${run.id}`, { at: endedAt, kind: 'finished', role, ok, ms, costMicros, said })];
  }

  async function look(): Promise<void> {
    const row = await store.task(taskId);
    if (row === null) return;
    const { id, title, branch, prNumber, createdAt, updatedAt } = row.task;
    const events = once('task', { at: createdAt, kind: 'task', id, title, branch });
    for (const decision of (await store.decisions({ taskId, limit: maxRows })).toReversed()) {
      if (Number(decision.id) <= lastDecision) continue;
      lastDecision = Number(decision.id);
      const { at, fromStage: from, toStage: to, holdCause: cause } = decision;
      const why = decision.why.sentence;
      if (from !== to) events.push({ at, kind: 'stage', from, to, why });
      if (cause !== null && cause !== lastHold) events.push({ at, kind: 'waits', cause, why });
      lastHold = cause;
    }
    for (const run of await store.runs({ taskId, limit: maxRows })) events.push(...ofRun(run));
    if (prNumber !== null) events.push(...once('pull', { at: updatedAt, kind: 'pull', number: prNumber }));
    for (const event of events.toSorted((a, b) => a.at - b.at)) report(event);
  }

  return {
    look: () => {
      turn = turn.catch(() => undefined).then(look);
      return turn;
    },
  };
}
