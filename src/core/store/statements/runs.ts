import type { JobId, Role, Run, RunEnd, RunFilter, RunId, RunPatch, TaskId } from '../../model/index.ts';
import { liveStates, slotPhases } from '../../queue/claim.ts';
import { decodeOrNull, encodeOrNull, idOf, inList, isSet, rowId } from '../codec.ts';
import { all, one, run as change, type Query } from '../query.ts';
import { packed } from './packed.ts';

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
    id: idOf<RunId>(row.id),
    jobId: idOf<JobId>(row.job_id),
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

/** The first condition repeats that of the index of open runs, which serves only queries that do. */
const slotsTaken = `SELECT count(*) AS n FROM runs
  WHERE phase <> 'settled' AND phase IN (${inList(slotPhases)}) AND host = @host`;

const insertRun = `INSERT INTO runs (job_id, task_id, role, kind, repo, attempt, lease_token, host, phase, budget_micros, started_at)
    VALUES (@job_id, @task_id, @role, @kind, @repo, (SELECT count(*) + 1 FROM runs WHERE job_id = @job_id),
      @lease_token, @host, 'preparing', @budget_micros, @now)
  RETURNING *`;

/** Runs are found through their jobs, which have an index for each of these. */
const among = {
  job: 'WHERE job_id = @jobId',
  task: 'WHERE job_id IN (SELECT id FROM jobs WHERE task_id = @taskId)',
  branch: 'WHERE job_id IN (SELECT id FROM jobs WHERE repo = @repo AND branch = @branch)',
  all: '',
};

// The one text that PostgreSQL needs in another form: a list as one parameter (there: json_array_elements_text).
const endsOf = `SELECT runs.id, runs.task_id, runs.ended_at,
    CASE WHEN jobs.state IN (${inList(liveStates)}) THEN 1 ELSE 0 END AS live
  FROM runs JOIN jobs ON jobs.id = runs.job_id WHERE runs.id IN (SELECT value FROM json_each(@ids))
  UNION ALL SELECT id, task_id, ended_at, 0 FROM packed_runs WHERE id IN (SELECT value FROM json_each(@ids))`;

const usualTimes = `SELECT ended_at - started_at AS ms FROM runs
  WHERE role = @role AND kind = 'agent' AND phase = 'settled' AND outcome ->> 'kind' = 'success'
  ORDER BY id DESC LIMIT @limit`;

type NewRun = Pick<
  RunColumns,
  'job_id' | 'task_id' | 'role' | 'kind' | 'repo' | 'lease_token' | 'host' | 'budget_micros'
>;

/** Runs: appended by a claim, changed under the job's lease, packed with their task. */
export const runs = {
  *find(id: RunId): Query<Run | null> {
    const row = yield* one<RunColumns>('SELECT * FROM runs WHERE id = @id', { id: rowId(id) });
    const found = row ?? ((yield* packed.run(id)) as unknown as RunColumns | null);
    return found === null ? null : decodeRun(found);
  },
  /** The run of a job that is not settled. */
  *open(jobId: number): Query<RunColumns | null> {
    return yield* one(`SELECT * FROM runs WHERE job_id = @jobId AND phase <> 'settled'`, { jobId });
  },
  /** The runs that are not settled, by job: each has one at most. */
  *openByJob(): Query<Map<number, RunColumns>> {
    const rows = yield* all<RunColumns>(`SELECT * FROM runs WHERE phase <> 'settled'`);
    return new Map(rows.map((row) => [row.job_id, row]));
  },
  *slotsTaken(host: string): Query<number> {
    return (yield* one<{ n: number }>(slotsTaken, { host }))?.n ?? 0;
  },
  *insert(run: NewRun, now: number): Query<RunColumns> {
    return (yield* one<RunColumns>(insertRun, { ...run, now })) as RunColumns;
  },
  *patch(id: RunId, jobId: JobId, patch: RunPatch): Query<void> {
    yield* change(patchRun, {
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
  *before({ job_id, attempt }: RunColumns): Query<Run | null> {
    if (attempt === 1) return null;
    const text = 'SELECT * FROM runs WHERE job_id = @job_id AND attempt < @attempt ORDER BY attempt DESC LIMIT 1';
    const row = yield* one<RunColumns>(text, { job_id, attempt });
    return row === null ? null : decodeRun(row);
  },
  /** Newest first. */
  *list(filter: RunFilter): Query<Run[]> {
    const { limit, jobId, ...of } = filter;
    const kept = of.taskId === undefined ? null : yield* packed.of(of.taskId);
    if (kept !== null) return (kept.runs as unknown as RunColumns[]).reverse().slice(0, limit).map(decodeRun);
    const which =
      jobId !== undefined ? 'job' : of.taskId !== undefined ? 'task' : of.branch !== undefined ? 'branch' : 'all';
    const params = { limit, ...of, ...(jobId === undefined ? {} : { jobId: rowId(jobId) }) };
    return (yield* all<RunColumns>(`SELECT * FROM runs ${among[which]} ORDER BY id DESC LIMIT @limit`, params)).map(
      decodeRun,
    );
  },
  *ends(ids: RunId[]): Query<RunEnd[]> {
    const rows = yield* all<{ id: number; task_id: string | null; ended_at: number | null; live: number }>(endsOf, {
      ids: JSON.stringify(ids.map(rowId)),
    });
    return rows.map((row) => ({
      id: idOf<RunId>(row.id),
      taskId: row.task_id as TaskId | null,
      jobLive: isSet(row.live),
      endedAt: row.ended_at,
    }));
  },
  /** Median duration of the newest successful runs of a role, milliseconds; null without any. */
  *usualMs(role: Role): Query<number | null> {
    const rows = yield* all<{ ms: number }>(usualTimes, { role, limit: usualRuns });
    const sorted = rows.map((row) => row.ms).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  },
};
