import type { Effect, EffectBody, EffectId, NewEffect, TaskId } from '../model/index.ts';
import { bit, decode, rowId } from './codec.ts';
import type { Sql } from './connection.ts';
import { asEffectKind } from './words.ts';

export interface EffectColumns {
  id: number;
  key: string;
  lane: string;
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

export function decodeEffect(row: EffectColumns): Effect {
  return {
    id: String(row.id) as EffectId,
    key: row.key,
    lane: row.lane,
    body: decode(row.body),
    report: row.report === 1,
    taskId: row.task_id as TaskId | null,
    attempts: row.attempts,
    lastError: row.error,
    createdAt: row.created_at,
  };
}

/** The first undelivered effect of every lane; the others wait behind it, whatever became due. */
const laneHeads = `FROM outbox AS e WHERE e.state IN ('pending', 'in_flight') AND NOT EXISTS (
    SELECT 1 FROM outbox AS p WHERE p.lane = e.lane AND p.id < e.id AND p.state IN ('pending', 'in_flight'))`;

const claimEffect = `UPDATE outbox SET state = 'in_flight', attempts = attempts + 1, lease_owner = @owner,
    lease_token = lease_token + 1, lease_expires_at = @now + @leaseMs
  WHERE id = (SELECT e.id ${laneHeads}
    AND ((e.state = 'pending' AND e.available_at <= @now) OR (e.state = 'in_flight' AND e.lease_expires_at <= @now))
    ORDER BY e.id LIMIT 1)
  RETURNING *`;

// The first condition repeats that of the index of what is not sent yet, which serves only queries that do.
const waitingBefore = `SELECT id, body FROM outbox
  WHERE lane = @lane AND id < @id AND state IN ('pending', 'in_flight') AND state = 'pending'`;

/** The outbox. Each function is one fenced statement; the callers hold the transaction. */
export function outboxStatements(sql: Sql) {
  return {
    /** The new row's key; null when there is an effect of this key. */
    insert(effect: NewEffect, taskId: TaskId | null, now: number): number | null {
      const row = sql<{ id: number }>(
        `INSERT INTO outbox (key, lane, kind, body, report, task_id, state, available_at, created_at)
         VALUES (@key, @lane, @kind, @body, @report, @task_id, 'pending', 0, @now)
         ON CONFLICT (key) DO NOTHING RETURNING id`,
      ).get({
        key: effect.key,
        lane: effect.lane,
        kind: asEffectKind(effect.body.kind),
        body: JSON.stringify(effect.body),
        report: bit(effect.report),
        task_id: taskId,
        now,
      });
      return row?.id ?? null;
    },
    /** What waits in a lane before this effect and is not being sent. */
    waitingBefore(lane: string, id: number): { id: number; body: EffectBody }[] {
      return sql<{ id: number; body: string }>(waitingBefore)
        .all({ lane, id })
        .map((row) => ({ id: row.id, body: decode<EffectBody>(row.body) }));
    },
    supersede(id: number, now: number): void {
      sql(`UPDATE outbox SET state = 'superseded', settled_at = ? WHERE id = ?`).run(now, id);
    },
    claim(owner: string, leaseMs: number, now: number): EffectColumns | null {
      return sql<EffectColumns>(claimEffect).get({ owner, leaseMs, now }) ?? null;
    },
    /** When the head of some lane becomes due, or its sender's lease ends. */
    nextDue(): number | null {
      const at = `min(CASE e.state WHEN 'pending' THEN e.available_at ELSE e.lease_expires_at END)`;
      return sql<{ at: number | null }>(`SELECT ${at} AS at ${laneHeads}`).get()?.at ?? null;
    },
    inFlight(id: EffectId, token: number): EffectColumns | null {
      return (
        sql<EffectColumns>(`SELECT * FROM outbox WHERE id = ? AND lease_token = ? AND state = 'in_flight'`).get(
          rowId(id),
          token,
        ) ?? null
      );
    },
    /** Everything that some process is sending now. */
    onTheirWay(): EffectColumns[] {
      return sql<EffectColumns>(`SELECT * FROM outbox WHERE state = 'in_flight' ORDER BY id`).all();
    },
    finish(id: number, state: 'done' | 'dead', result: string | null, error: string | null, now: number): void {
      sql(
        `UPDATE outbox SET state = ?, result = ?, error = ?, settled_at = ?, lease_owner = NULL, lease_expires_at = NULL
         WHERE id = ?`,
      ).run(state, result, error, now, id);
    },
    retry(id: number, availableAt: number, error: string): void {
      sql(
        `UPDATE outbox SET state = 'pending', available_at = ?, error = ?, lease_owner = NULL, lease_expires_at = NULL
         WHERE id = ?`,
      ).run(availableAt, error, id);
    },
    pendingOf(taskId: TaskId): number {
      const row = sql<{ n: number }>(
        `SELECT count(*) AS n FROM outbox WHERE task_id = ? AND state IN ('pending', 'in_flight')`,
      ).get(taskId);
      return row?.n ?? 0;
    },
    /** All effects of a task, oldest first. */
    ofTask(taskId: TaskId): EffectColumns[] {
      return sql<EffectColumns>('SELECT * FROM outbox WHERE task_id = ? ORDER BY id').all(taskId);
    },
    revive(id: EffectId): void {
      sql(`UPDATE outbox SET state = 'pending', available_at = 0, error = NULL, settled_at = NULL WHERE id = ?`).run(
        rowId(id),
      );
    },
    list(filter: { taskId?: TaskId; state?: 'pending' | 'dead'; limit: number }): EffectColumns[] {
      // For a reader an effect on its way is still pending.
      return sql<EffectColumns>(
        `SELECT * FROM outbox WHERE (@task_id IS NULL OR task_id = @task_id)
           AND (@state IS NULL OR state = @state OR (@state = 'pending' AND state = 'in_flight'))
         ORDER BY id DESC LIMIT @limit`,
      ).all({ task_id: filter.taskId ?? null, state: filter.state ?? null, limit: filter.limit });
    },
  };
}

export type OutboxStatements = ReturnType<typeof outboxStatements>;
