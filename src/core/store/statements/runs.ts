import type { JobId, RepoSlug, Run, RunEnd, RunId, RunPatch, TaskId } from '../model/index.ts';
import { slotPhases } from '../queue/claim.ts';
import { decodeOrNull, encodeOrNull, inList, rowId } from './codec.ts';
import type { Sql } from './connection.ts';

export interface RunColumns {
  id: number;
  job_id: number;
  task_id: string | null;
  role: string;
  kind: string;
  repo: string;
  attempt: number;
  lease_token: number;
  host: string;
  phase: string;
  folder: string;
  workspace: string;
  pid: number | null;
  pid_start: string | null;
  session_id: string | null;
  base_sha: string | null;
  published_sha: string | null;
  outcome: string | null;
  budget_micros: number | null;
  started_at: number;
  ended_at: number | null;
}

export function decodeRun(row: RunColumns): Run {
  return {
    id: String(row.id) as RunId,
    jobId: String(row.job_id) as JobId,
    taskId: row.task_id as TaskId | null,
    role: row.role as Run['role'],
    kind: row.kind as Run['kind'],
    attempt: row.attempt,
    leaseToken: row.lease_token,
    host: row.host,
    phase: row.phase as Run['phase'],
    folder: row.folder,
    workspace: row.workspace,
    pid: row.pid,
    pidStart: row.pid_start,
    sessionId: row.session_id,
    baseSha: row.base_sha as Run['baseSha'],
    publishedSha: row.published_sha as Run['publishedSha'],
    outcome: decodeOrNull(row.outcome),
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

/** How many past runs the usual duration of a role is taken from. */
const usualRuns = 101;

const patchRun = `UPDATE runs SET phase = coalesce(@phase, phase), folder = coalesce(@folder, folder),
    workspace = coalesce(@workspace, workspace), pid = coalesce(@pid, pid), pid_start = coalesce(@pid_start, pid_start),
    session_id = coalesce(@session_id, session_id), base_sha = coalesce(@base_sha, base_sha),
    outcome = coalesce(@outcome, outcome)
  WHERE id = @id AND job_id = @job_id`;

/** Runs: appended by a claim, changed under the job's lease, never deleted. */
export function runStatements(sql: Sql) {
  return {
    find(id: RunId): RunColumns | null {
      return sql<RunColumns>('SELECT * FROM runs WHERE id = ?').get(rowId(id)) ?? null;
    },
    /** The run of a job that is not settled. */
    open(jobId: number): RunColumns | null {
      return sql<RunColumns>(`SELECT * FROM runs WHERE job_id = ? AND phase <> 'settled'`).get(jobId) ?? null;
    },
    /** The first condition repeats that of the index of open runs, which serves only queries that do. */
    slotsTaken(host: string): number {
      const row = sql<{ n: number }>(
        `SELECT count(*) AS n FROM runs WHERE phase <> 'settled' AND phase IN (${inList(slotPhases)}) AND host = ?`,
      ).get(host);
      return row?.n ?? 0;
    },
    insert(
      run: Pick<RunColumns, 'job_id' | 'task_id' | 'role' | 'kind' | 'repo' | 'lease_token' | 'host' | 'budget_micros'>,
      now: number,
    ): RunColumns {
      return sql<RunColumns>(
        `INSERT INTO runs (job_id, task_id, role, kind, repo, attempt, lease_token, host, phase, budget_micros, started_at)
         VALUES (@job_id, @task_id, @role, @kind, @repo, (SELECT count(*) + 1 FROM runs WHERE job_id = @job_id),
           @lease_token, @host, 'preparing', @budget_micros, @now)
         RETURNING *`,
      ).get({ ...run, now }) as RunColumns;
    },
    patch(id: RunId, jobId: JobId, patch: RunPatch): void {
      sql(patchRun).run({
        id: rowId(id),
        job_id: rowId(jobId),
        phase: patch.phase ?? null,
        folder: patch.folder ?? null,
        workspace: patch.workspace ?? null,
        pid: patch.pid ?? null,
        pid_start: patch.pidStart ?? null,
        session_id: patch.sessionId ?? null,
        base_sha: patch.baseSha ?? null,
        outcome: encodeOrNull(patch.outcome),
      });
    },
    /** The run of the same job before this one. */
    before(run: RunColumns): Run | null {
      if (run.attempt === 1) return null;
      const row = sql<RunColumns>(
        'SELECT * FROM runs WHERE job_id = ? AND attempt < ? ORDER BY attempt DESC LIMIT 1',
      ).get(run.job_id, run.attempt);
      return row === undefined ? null : decodeRun(row);
    },
    list(filter: { taskId?: TaskId; jobId?: JobId; repo?: RepoSlug; limit: number }): Run[] {
      return sql<RunColumns>(
        `SELECT * FROM runs WHERE (@task_id IS NULL OR task_id = @task_id) AND (@job_id IS NULL OR job_id = @job_id)
           AND (@repo IS NULL OR repo = @repo) ORDER BY id DESC LIMIT @limit`,
      )
        .all({
          task_id: filter.taskId ?? null,
          job_id: filter.jobId === undefined ? null : rowId(filter.jobId),
          repo: filter.repo ?? null,
          limit: filter.limit,
        })
        .map(decodeRun);
    },
    ends(ids: RunId[]): RunEnd[] {
      return sql<{ id: number; task_id: string | null; ended_at: number | null; live: number }>(
        `SELECT runs.id, runs.task_id, runs.ended_at, jobs.state IN ('queued', 'delayed', 'running') AS live
         FROM runs JOIN jobs ON jobs.id = runs.job_id WHERE runs.id IN (SELECT value FROM json_each(?))`,
      )
        .all(JSON.stringify(ids.map(rowId)))
        .map((row) => ({
          id: String(row.id) as RunId,
          taskId: row.task_id as TaskId | null,
          jobLive: row.live === 1,
          endedAt: row.ended_at,
        }));
    },
    /** Median duration of the newest successful analyst runs, milliseconds; null without any. */
    usualAnalystMs(): number | null {
      const rows = sql<{ ms: number }>(
        `SELECT ended_at - started_at AS ms FROM runs
         WHERE role = 'analyst' AND kind = 'agent' AND phase = 'settled' AND json_extract(outcome, '$.kind') = 'success'
         ORDER BY id DESC LIMIT ?`,
      ).all(usualRuns);
      const sorted = rows.map((row) => row.ms).sort((a, b) => a - b);
      return sorted[Math.floor(sorted.length / 2)] ?? null;
    },
  };
}

export type RunStatements = ReturnType<typeof runStatements>;
