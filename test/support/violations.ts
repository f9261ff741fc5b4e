import Database from 'better-sqlite3';
import type { Stage, WorkStage } from '../../src/core/model/index.ts';
import { stageAfter } from '../../src/core/pipeline/rules/order.ts';
import { edges } from '../../src/core/pipeline/stages/index.ts';
import type { World } from '../../src/sandbox/world.ts';
import { outsideViolations } from './violations-outside.ts';
import { queueViolations } from './violations-queue.ts';

export type Say = (text: string) => void;

/** Rows of the database, read-only. */
export interface Rows {
  all<T>(sql: string, ...values: (string | number)[]): T[];
}

export interface Rules {
  /** Most developer reruns of a task (`caps.developerReruns`). */
  developerReruns: number;
}

/**
 * What must hold after any number of kills (architecture: invariants), read from the database, the bare repositories and
 * the sandbox's own journals, when nothing is under way any more. Answers every violation; an empty list is what
 * everybody wants.
 * @param world null: the database alone, for a world of several repositories
 */
export async function violations(
  world: World | null,
  database: string,
  rules: Rules = { developerReruns: 3 },
): Promise<string[]> {
  const found: string[] = [];
  const say: Say = (text) => void found.push(text);
  const db = new Database(database, { readonly: true, timeout: 5000 });
  try {
    const rows: Rows = {
      all: <T>(sql: string, ...values: (string | number)[]) => db.prepare(sql).all(...values) as T[],
    };
    if (db.pragma('integrity_check', { simple: true }) !== 'ok') say('integrity_check failed');
    for (const row of db.pragma('foreign_key_check') as { table: string; parent: string }[])
      say(`a row of ${row.table} points at no row of ${row.parent}`);
    messages(rows, say);
    decisions(rows, say);
    tasks(rows, rules, say);
    queueViolations(rows, say);
    effects(rows, say);
    if (world !== null) await outsideViolations(world, rows, say);
  } finally {
    db.close();
  }
  return found;
}

/** 1: every message is handled once, in order per task. */
function messages({ all }: Rows, say: Say): void {
  for (const { id } of all<{ id: number }>('SELECT id FROM messages WHERE handled_at IS NULL'))
    say(`message ${id} is not handled`);
  const disordered = all<{ id: number }>(`SELECT a.id FROM messages AS a JOIN messages AS b
    ON b.task_id = a.task_id AND b.id < a.id WHERE b.handled_at > a.handled_at`);
  for (const { id } of disordered) say(`message ${id} was handled before an older one`);
  for (const { key } of all<{ key: string }>(
    'SELECT task_id || source_key AS key FROM messages GROUP BY task_id, source_key HAVING count(*) > 1',
  ))
    say(`message ${key} came twice`);
}

/** Rules that may change the stage off the table: facts of the outside and commands by name. */
const offTable = /^(advance|command|world)\./;

interface DecisionLine {
  task_id: string;
  version: number;
  from_stage: Stage;
  to_stage: string;
  why: string;
}

/** 3 and 4: every stage change is an edge or a named command, has one row, raises the version by one, names its subject. */
function decisions({ all }: Rows, say: Say): void {
  const known = new Set(edges.map((edge) => `${edge.from}>${edge.to}`));
  const lines = new Map(
    all<{ id: string; pipeline_stages: string }>('SELECT id, pipeline_stages FROM tasks').map(
      (task) => [task.id, JSON.parse(task.pipeline_stages) as WorkStage[]] as const,
    ),
  );
  const last = new Map<string, DecisionLine>();
  for (const row of all<DecisionLine>('SELECT * FROM decisions ORDER BY task_id, id')) {
    const { rule, evidence } = JSON.parse(row.why) as { rule: string; evidence: Record<string, string> };
    const before = last.get(row.task_id);
    if (row.version !== (before?.version ?? 0) + 1)
      say(`${row.task_id}: version ${row.version} follows ${before?.version ?? 0}`);
    if (before !== undefined && before.to_stage !== row.from_stage)
      say(`${row.task_id}: version ${row.version} begins in ${row.from_stage}, not in ${before.to_stage}`);
    last.set(row.task_id, row);
    if (row.from_stage === row.to_stage || offTable.test(rule)) continue;
    const edge = `${row.from_stage}>${row.to_stage}`;
    // A shorter line leaves stages out.
    const next = stageAfter(row.from_stage, lines.get(row.task_id) ?? []);
    if (!known.has(edge) && row.to_stage !== next) say(`${row.task_id}: the stage change ${edge} is no edge (${rule})`);
    if (Object.keys(evidence).length === 0) say(`${row.task_id}: ${rule} names nothing that it judged`);
  }
  for (const task of all<{ id: string; version: number; stage: string }>('SELECT id, version, stage FROM tasks')) {
    const { version = 0, to_stage: stage = task.stage } = last.get(task.id) ?? {};
    if (task.version !== version) say(`${task.id} has version ${task.version} and ${version} decisions`);
    if (task.stage !== stage) say(`${task.id} is in ${task.stage}, its last decision led to ${stage}`);
  }
}

interface TaskLine {
  id: string;
  stage: string;
  hold: string | null;
  counters: string;
  paused: number;
  number: number;
  project_id: string;
  first_number: number | null;
  due: number;
}

/** 7, 8 and the last part of 10. */
function tasks({ all }: Rows, rules: Rules, say: Say): void {
  const rows = all<TaskLine>(`SELECT t.*, p.first_number, t.awake = 1 OR t.wake_at IS NOT NULL
      OR EXISTS (SELECT 1 FROM jobs AS j WHERE j.task_id = t.id AND j.state IN ('queued', 'delayed', 'running'))
      OR EXISTS (SELECT 1 FROM runs AS r WHERE r.task_id = t.id AND r.phase <> 'settled')
      OR EXISTS (SELECT 1 FROM outbox AS o WHERE o.task_id = t.id AND o.state IN ('pending', 'in_flight'))
      OR EXISTS (SELECT 1 FROM messages AS m WHERE m.task_id = t.id AND m.handled_at IS NULL) AS due
    FROM tasks AS t LEFT JOIN projects AS p ON p.project_id = t.project_id`);
  for (const row of rows) {
    const { developerReruns } = JSON.parse(row.counters) as { developerReruns: number };
    if (developerReruns > rules.developerReruns) say(`${row.id} had ${developerReruns} developer reruns`);
    if (row.first_number === null || row.number <= row.first_number)
      say(`${row.id} is of no registered project, or from before first contact`);
    if (['done', 'cancelled'].includes(row.stage) || row.due === 1 || row.paused === 1) continue;
    const hold =
      row.hold === null ? null : (JSON.parse(row.hold) as { cause: string; owner: string; clearedBy: string });
    if (hold === null) say(`${row.id} stands in ${row.stage}, and nothing will move it`);
    else if ([hold.cause, hold.owner, hold.clearedBy].includes('')) say(`the hold of ${row.id} says too little`);
  }
}

/** A merge that the server made and did not record, because the client was killed meanwhile: a person closes it. */
export const cutOff = `(kind = 'forge.merge_pull' AND state IN ('dead', 'superseded') AND json_extract(result, '$.reason') = 'torn')`;

/** 9: an effect exists exactly when its decision was committed; all are delivered or replaced in the end. */
function effects({ all }: Rows, say: Say): void {
  for (const { key, state } of all<{ key: string; state: string }>(
    `SELECT key, state FROM outbox WHERE state NOT IN ('done', 'superseded', 'withdrawn') AND NOT ${cutOff}`,
  ))
    say(`effect ${key} is ${state}`);
  for (const { key } of all<{ key: string }>(
    `SELECT key FROM outbox WHERE state = 'superseded' AND kind <> 'tracker.state' AND error IS NULL AND NOT ${cutOff}`,
  ))
    say(`effect ${key} was replaced, which only a state and what was refused may be`);
  for (const { key } of all<{ key: string }>(
    `SELECT key FROM outbox WHERE state = 'withdrawn' AND kind IN ('tracker.comment', 'chat.message')`,
  ))
    say(`effect ${key} was withdrawn, which nothing that informs people may be`);
  for (const { key } of all<{ key: string }>(`SELECT key FROM outbox AS o WHERE task_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM decisions AS d WHERE d.task_id = o.task_id AND o.key LIKE d.task_id || '/' || d.version || '/%')`))
    say(`effect ${key} belongs to no decision`);
}
