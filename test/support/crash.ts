import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { packageRoot } from '../../src/core/platform/files.ts';
import type { World } from '../../src/sandbox/world.ts';

interface OrchExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
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

/** @param program folder of a built checkout */
export function orchHost(world: World, root: string, program = packageRoot()): OrchHost {
  const file = path.join(root, 'orchestrator.config.json');
  writeFileSync(file, JSON.stringify(world.config));
  const start: OrchHost['start'] = (args, env = {}) => {
    const child = spawn(process.execPath, [path.join(program, 'bin', 'orch.js'), '--config', file, ...args], {
      env: { PATH: process.env['PATH'] ?? '', HOME: root, ...world.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout = (stdout + chunk.toString()).slice(-20_000)));
    child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-20_000)));
    return {
      pid: child.pid ?? 0,
      kill: (signal) => void child.kill(signal),
      ended: new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))),
    };
  };
  return { file, database: path.join(root, 'state', 'orch.db'), start, run: (args, env) => start(args, env).ended };
}

export interface TaskState {
  id: string;
  stage: string;
  hold: string | null;
  /** The hold waits for a person's command. */
  blocking: boolean;
  paused: boolean;
}

/** Cause, and for a blocking hold its text: what a failed run of the test has to show. */
function holdText(hold: string): string {
  const { cause, blocking, text } = JSON.parse(hold) as { cause: string; blocking: boolean; text: string };
  return blocking ? `${cause}: ${text}` : cause;
}

export function tasksIn(database: string): TaskState[] {
  const db = new Database(database, { readonly: true, timeout: 5000 });
  try {
    const rows = db.prepare('SELECT id, stage, hold, paused FROM tasks ORDER BY id').all() as {
      id: string;
      stage: string;
      hold: string | null;
      paused: number;
    }[];
    return rows.map((row) => ({
      ...row,
      hold: row.hold === null ? null : holdText(row.hold),
      blocking: row.hold !== null && (JSON.parse(row.hold) as { blocking: boolean }).blocking,
      paused: row.paused === 1,
    }));
  } finally {
    db.close();
  }
}

/** How many runs have ended well so far. */
export function successes(database: string): number {
  const db = new Database(database, { readonly: true, timeout: 5000 });
  try {
    const sql = `SELECT count(*) FROM runs WHERE phase = 'settled' AND json_extract(outcome, '$.kind') = 'success'`;
    return db.prepare(sql).pluck().get() as number;
  } finally {
    db.close();
  }
}

/**
 * A merge whose sender died is left alone for half a minute, because the server may still be at work on it: lets that
 * time pass, by the only clock there is for another process.
 */
export function letMergesRest(database: string): void {
  const db = new Database(database, { timeout: 5000 });
  try {
    db.exec(
      `UPDATE outbox SET lease_expires_at = lease_expires_at - 30000 WHERE state = 'in_flight' AND kind = 'forge.merge_pull'`,
    );
  } finally {
    db.close();
  }
}

/**
 * Gives the running agents of a stopped worker to nobody, as if another one had taken them over and died: when the worker
 * wakes up, it holds leases that are out of date and does not know it. Only runs whose agent is at work: in every other
 * phase the worker itself, or its git, works on the workspace, and the product never takes those from a living process.
 * @returns how many; none when somebody was stopped in the middle of a write and holds the database's lock
 */
export function usurp(database: string, pid: number): number {
  const db = new Database(database, { timeout: 100 });
  try {
    const take = db.transaction(() => {
      const rows = db
        .prepare(
          `SELECT j.id, j.lease_owner AS owner FROM jobs AS j JOIN runs AS r ON r.job_id = j.id
           WHERE j.state = 'running' AND r.phase = 'running' AND j.lease_owner LIKE '%|' || ? || '|%'`,
        )
        .all(pid) as { id: number; owner: string }[];
      for (const { id, owner } of rows) {
        const dead = owner.replace(/\|\d+\|\d+$/, '|1|1');
        db.prepare('UPDATE jobs SET lease_token = lease_token + 1, lease_owner = ? WHERE id = ?').run(dead, id);
        db.prepare(`UPDATE runs SET lease_token = lease_token + 1 WHERE job_id = ? AND phase <> 'settled'`).run(id);
      }
      return rows.length;
    });
    return take.immediate();
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code === 'SQLITE_BUSY') return 0;
    throw error;
  } finally {
    db.close();
  }
}
