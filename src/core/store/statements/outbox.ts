import type { Effect, EffectBody, EffectId, EffectKind, NewEffect, TaskId } from '../../model/index.ts';
import { bit, decode, idOf, isSet, rowId } from '../codec.ts';
import { all, one, run, type Query } from '../query.ts';
import { asEffectKind } from '../words.ts';
import { packed } from './packed.ts';

export interface EffectColumns {
  id: number;
  key: string;
  lane: string;
  kind: EffectKind;
  body: string;
  report: number;
  task_id: string | null;
  state: string;
  attempts: number;
  lease_token: number;
  lease_owner: string | null;
  lease_expires_at: number | null;
  error: string | null;
  created_at: number;
}

export interface EffectFilter {
  taskId?: TaskId;
  state?: 'pending' | 'dead';
  limit: number;
}

export function decodeEffect(row: EffectColumns): Effect {
  return {
    id: idOf<EffectId>(row.id),
    key: row.key,
    lane: row.lane,
    body: decode(row.body),
    report: isSet(row.report),
    taskId: row.task_id as TaskId | null,
    attempts: row.attempts,
    lastError: row.error,
    createdAt: row.created_at,
  };
}

/** The first undelivered effect of every lane; the others wait behind it, whatever became due. */
const laneHeads = `FROM outbox AS e WHERE e.state IN ('pending', 'in_flight') AND NOT EXISTS (
    SELECT 1 FROM outbox AS p WHERE p.lane = e.lane AND p.id < e.id AND p.state IN ('pending', 'in_flight'))`;

const dueAfter = `SELECT e.* ${laneHeads} AND e.id > @after
    AND ((e.state = 'pending' AND e.available_at <= @now) OR (e.state = 'in_flight' AND e.lease_expires_at <= @now))
  ORDER BY e.id LIMIT 1`;

const claimEffect = `UPDATE outbox SET state = 'in_flight', attempts = attempts + 1, lease_owner = @owner,
    lease_token = lease_token + 1, lease_expires_at = @now + @leaseMs
  WHERE id = @id RETURNING *`;

const triedBefore = `SELECT 1 FROM outbox
  WHERE task_id = @taskId AND kind = @kind AND id < @id AND attempts > 0 AND state <> 'done' LIMIT 1`;

const withdraw = `UPDATE outbox SET state = 'withdrawn', settled_at = @now, lease_owner = NULL, lease_expires_at = NULL
  WHERE id = @id`;

// The first condition repeats that of the index of what is not sent yet, which serves only queries that do.
const waitingBefore = `SELECT id, body FROM outbox
  WHERE lane = @lane AND id < @id AND state IN ('pending', 'in_flight') AND state = 'pending'`;

const waitingOf = `SELECT * FROM outbox
  WHERE task_id = @taskId AND state IN ('pending', 'in_flight') AND state = 'pending' ORDER BY id`;

const insertEffect = `INSERT INTO outbox (key, lane, kind, body, report, task_id, state, available_at, created_at)
    VALUES (@key, @lane, @kind, @body, @report, @taskId, 'pending', 0, @now)
  ON CONFLICT (key) DO NOTHING RETURNING id`;

const nextDue = `SELECT min(CASE e.state WHEN 'pending' THEN e.available_at ELSE e.lease_expires_at END) AS at ${laneHeads}`;

const finish = `UPDATE outbox SET state = @state, result = @result, error = @error, settled_at = @now, lease_owner = NULL,
    lease_expires_at = NULL WHERE id = @id`;

const retry = `UPDATE outbox SET state = 'pending', available_at = @availableAt, error = @error, lease_owner = NULL,
    lease_expires_at = NULL WHERE id = @id`;

const dropDead = `UPDATE outbox SET state = 'superseded', settled_at = @now
  WHERE state = 'dead' AND task_id = @taskId AND (@kind IS NULL OR kind = @kind)`;

const dropDeadBefore = `UPDATE outbox SET state = 'superseded', settled_at = @now
  WHERE state = 'dead' AND lane = @lane AND id < @id`;

const hurry = `UPDATE outbox SET available_at = 0
  WHERE task_id = @taskId AND state = 'pending' AND available_at > @now`;

const loose = `SELECT id FROM outbox
    WHERE task_id IS NULL AND state IN ('done', 'superseded', 'withdrawn') AND settled_at < @before
      AND id < (SELECT max(id) FROM outbox) ORDER BY id LIMIT @limit`;
const forgetLoose = `DELETE FROM outbox WHERE id IN (${loose})`;

// For a reader an effect on its way is still pending. Each is the condition of an index; `+id` below keeps the table from being read
// in the order of its key instead.
const stateIs = { pending: `state IN ('pending', 'in_flight')`, dead: `state = 'dead'` };

// Counted by the caller: grouped here, all effects ever made would be read, in the order of their tasks.
const pendingByTask = `SELECT task_id FROM outbox WHERE state IN ('pending', 'in_flight') ORDER BY id`;

/** The outbox. Each function is one fenced statement. */
export const outbox = {
  /** The new row's key; null when there is an effect of this key. */
  *insert({ key, lane, body, report }: NewEffect, taskId: TaskId | null, now: number): Query<number | null> {
    const kind = asEffectKind(body.kind);
    const params = { key, lane, kind, body: JSON.stringify(body), report: bit(report), taskId, now };
    return (yield* one<{ id: number }>(insertEffect, params))?.id ?? null;
  },
  /** What waits in a lane before this effect and is not being sent. */
  *waitingBefore(lane: string, id: number): Query<{ id: number; body: EffectBody }[]> {
    const rows = yield* all<{ id: number; body: string }>(waitingBefore, { lane, id });
    return rows.map((row) => ({ id: row.id, body: decode<EffectBody>(row.body) }));
  },
  /** Its repository has another name. */
  *rename(id: number, lane: string, body: string): Query<void> {
    yield* run('UPDATE outbox SET lane = @lane, body = @body WHERE id = @id', { id, lane, body });
  },
  *supersede(id: number, now: number): Query<void> {
    yield* run(`UPDATE outbox SET state = 'superseded', settled_at = @now WHERE id = @id`, { id, now });
  },
  /** The first head of a lane behind this id that is due; the caller claims or withdraws it in the same transaction. */
  *dueAfter(after: number, now: number): Query<EffectColumns | null> {
    return yield* one(dueAfter, { after, now });
  },
  *claim(id: number, owner: string, leaseMs: number, now: number): Query<EffectColumns | null> {
    return yield* one(claimEffect, { id, owner, leaseMs, now });
  },
  /** Whether a try of this effect before this one, or of another of its kind for its task, may have got through unheard. */
  *mayBeSent({ id, task_id, kind, attempts }: EffectColumns): Query<boolean> {
    return attempts > 1 || (yield* one(triedBefore, { id, taskId: task_id, kind })) !== null;
  },
  /** It is never sent. */
  *withdraw(id: number, now: number): Query<void> {
    yield* run(withdraw, { id, now });
  },
  /** What waits for a task and is not being sent, oldest first. */
  *waitingOf(taskId: TaskId): Query<EffectColumns[]> {
    return yield* all(waitingOf, { taskId });
  },
  /** When the head of some lane becomes due, or its sender's lease ends. */
  *nextDue(): Query<number | null> {
    return (yield* one<{ at: number | null }>(nextDue))?.at ?? null;
  },
  *inFlight(id: EffectId, token: number): Query<EffectColumns | null> {
    const text = `SELECT * FROM outbox WHERE id = @id AND lease_token = @token AND state = 'in_flight'`;
    return yield* one(text, { id: rowId(id), token });
  },
  /** Everything that some process is sending now. */
  *onTheirWay(): Query<EffectColumns[]> {
    return yield* all(`SELECT * FROM outbox WHERE state = 'in_flight' ORDER BY +id`);
  },
  *finish(id: number, state: 'done' | 'dead', result: string | null, error: string | null, now: number): Query<void> {
    yield* run(finish, { id, state, result, error, now });
  },
  *retry(id: number, availableAt: number, error: string): Query<void> {
    yield* run(retry, { id, availableAt, error });
  },
  *pendingOf(taskId: TaskId): Query<number> {
    const text = `SELECT count(*) AS n FROM outbox WHERE task_id = @taskId AND state IN ('pending', 'in_flight')`;
    return (yield* one<{ n: number }>(text, { taskId }))?.n ?? 0;
  },
  /** Whether anything belongs to no task and was settled before this moment. */
  *hasLoose(before: number): Query<boolean> {
    return (yield* one(loose, { before, limit: 1 })) !== null;
  },
  /** Drops what belongs to no task and was settled before this moment; answers how many. */
  *forgetLoose(before: number, limit: number): Query<number> {
    return yield* run(forgetLoose, { before, limit });
  },
  *count(state: keyof typeof stateIs): Query<number> {
    return (yield* one<{ n: number }>(`SELECT count(*) AS n FROM outbox WHERE ${stateIs[state]}`))?.n ?? 0;
  },
  /** How many are not delivered, by task; a task with none is not in it. */
  *pendingByTask(): Query<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const { task_id: id } of yield* all<{ task_id: string | null }>(pendingByTask))
      if (id !== null) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  },
  /** All effects of a task, oldest first. */
  *ofTask(taskId: TaskId): Query<EffectColumns[]> {
    return yield* all('SELECT * FROM outbox WHERE task_id = @taskId ORDER BY id', { taskId });
  },
  *revive(id: EffectId): Query<void> {
    const text = `UPDATE outbox SET state = 'pending', available_at = 0, error = NULL, settled_at = NULL WHERE id = @id`;
    yield* run(text, { id: rowId(id) });
  },
  /** What was refused of a task, of one kind or of all, is moot now. */
  *dropDead(taskId: TaskId, kind: EffectKind | null, now: number): Query<void> {
    yield* run(dropDead, { taskId, kind, now });
  },
  /** What was refused earlier in a lane is moot now. */
  *dropDeadBefore(lane: string, id: number, now: number): Query<void> {
    yield* run(dropDeadBefore, { lane, id, now });
  },
  /** What waits for its next try is due at once; answers how many. */
  *hurry(taskId: TaskId, now: number): Query<number> {
    return yield* run(hurry, { taskId, now });
  },
  /** Newest first. */
  *list({ taskId, state, limit }: EffectFilter): Query<EffectColumns[]> {
    const kept = taskId === undefined || state !== undefined ? null : yield* packed.of(taskId);
    if (kept !== null) return (kept.outbox as unknown as EffectColumns[]).reverse().slice(0, limit);
    const conditions = [
      ...(taskId === undefined ? [] : ['task_id = @taskId']),
      ...(state === undefined ? [] : [stateIs[state]]),
    ];
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
    const params = { limit, ...(taskId === undefined ? {} : { taskId }) };
    return yield* all(
      `SELECT * FROM outbox${where} ORDER BY ${state === 'dead' ? '+' : ''}id DESC LIMIT @limit`,
      params,
    );
  },
};
