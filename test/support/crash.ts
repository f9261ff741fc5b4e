import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { packageRoot } from '../../src/core/platform/files.ts';
import { edges } from '../../src/core/pipeline/table.ts';
import type { World } from '../../src/sandbox/world.ts';

export interface OrchExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

export interface OrchProcess {
  pid: number;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<OrchExit>;
}

/** The built program as processes of their own, on a world's configuration. */
export interface OrchHost {
  file: string;
  database: string;
  start(args: string[], env?: Record<string, string>): OrchProcess;
  run(args: string[], env?: Record<string, string>): Promise<OrchExit>;
}

export function orchHost(world: World, root: string): OrchHost {
  const file = path.join(root, 'orchestrator.config.json');
  writeFileSync(file, JSON.stringify(world.config));
  const start: OrchHost['start'] = (args, env = {}) => {
    const child = spawn(process.execPath, [path.join(packageRoot(), 'bin', 'orch.js'), '--config', file, ...args], {
      env: { PATH: process.env['PATH'] ?? '', HOME: root, ...world.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-20_000)));
    return {
      pid: child.pid ?? 0,
      kill: (signal) => void child.kill(signal),
      ended: new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stderr }))),
    };
  };
  return { file, database: path.join(root, 'state', 'orch.db'), start, run: (args, env) => start(args, env).ended };
}

export interface TaskState {
  id: string;
  stage: string;
  hold: string | null;
}

/** Cause, and for a blocking hold its text: what a failed run of the test has to show. */
function holdText(hold: string): string {
  const { cause, blocking, text } = JSON.parse(hold) as { cause: string; blocking: boolean; text: string };
  return blocking ? `${cause}: ${text}` : cause;
}

export function tasksIn(database: string): TaskState[] {
  const db = new Database(database, { readonly: true, timeout: 5000 });
  try {
    const rows = db.prepare('SELECT id, stage, hold FROM tasks ORDER BY id').all() as {
      id: string;
      stage: string;
      hold: string | null;
    }[];
    return rows.map((row) => ({
      ...row,
      hold: row.hold === null ? null : holdText(row.hold),
    }));
  } finally {
    db.close();
  }
}

/**
 * What must hold after any number of kills (architecture: invariants), read from the database, the bare repositories and
 * the sandbox's own journals. Answers every violation; an empty list is what everybody wants.
 */
export async function violations(world: World, database: string): Promise<string[]> {
  const found: string[] = [];
  const db = new Database(database, { readonly: true, timeout: 5000 });
  const all = <T>(sql: string): T[] => db.prepare(sql).all() as T[];
  const say = (text: string): void => void found.push(text);
  if (db.pragma('integrity_check', { simple: true }) !== 'ok') say('integrity_check failed');
  for (const row of all<{ id: string }>(`SELECT id FROM messages WHERE handled_at IS NULL`))
    say(`message ${row.id} is not handled`);
  const known = new Set(edges.map((edge) => `${edge.from}>${edge.to}`));
  for (const row of all<{ from_stage: string; to_stage: string; why: string }>(
    'SELECT from_stage, to_stage, why FROM decisions',
  )) {
    const edge = `${row.from_stage}>${row.to_stage}`;
    if (row.from_stage !== row.to_stage && !known.has(edge)) say(`the stage change ${edge} is no edge (${row.why})`);
  }
  for (const row of all<{ task_id: string; n: number; v: number }>(
    'SELECT task_id, count(*) AS n, max(version) AS v FROM decisions GROUP BY task_id',
  )) {
    if (row.n !== row.v) say(`${row.task_id} has ${row.n} decisions and version ${row.v}`);
  }
  for (const row of all<{ id: number; phase: string }>(`SELECT id, phase FROM runs WHERE phase <> 'settled'`))
    say(`run ${row.id} is still ${row.phase}`);
  for (const row of all<{ key: string; state: string }>(
    `SELECT key, state FROM outbox WHERE state NOT IN ('done', 'superseded')`,
  ))
    say(`effect ${row.key} is ${row.state}`);
  db.close();
  outside(world, say);
  return found;
}

/** At most one outside object per effect: comments, pull requests, merges. */
function outside(world: World, say: (text: string) => void): void {
  const comments = world.plane.state.comments.filter((comment) => comment.externalSource === 'orch');
  const seen = new Map<string, number>();
  for (const comment of comments) seen.set(comment.externalId ?? '', (seen.get(comment.externalId ?? '') ?? 0) + 1);
  for (const [id, count] of seen) if (count > 1) say(`comment ${id} stands ${count} times`);
  const heads = new Map<string, number>();
  for (const pull of world.repo.pulls) heads.set(pull.head, (heads.get(pull.head) ?? 0) + 1);
  for (const [branch, count] of heads) if (count > 1) say(`branch ${branch} has ${count} pull requests`);
}
