import Database from 'better-sqlite3';
import type { Rows, Say } from './violations.ts';

interface RunLine {
  id: number;
  job_id: number;
  task_id: string | null;
  attempt: number;
  lease_token: number;
  phase: string;
  repo: string;
  branch: string;
  run_cap: number | null;
  started_at: number;
  ended_at: number | null;
}

/** Invariants 5 to 7 as far as the tables of the queue tell them, for all times and not only for now. */
export function queueViolations(rows: Rows, say: Say): void {
  runs(rows, say);
  jobs(rows, say);
  dollars(rows, say);
}

/** One running per branch at every instant, tokens that rise, each run settled, caps of runs. */
function runs({ all }: Rows, say: Say): void {
  const list = all<RunLine>(
    'SELECT r.*, j.branch, j.run_cap FROM runs AS r JOIN jobs AS j ON j.id = r.job_id ORDER BY r.id',
  );
  const onBranch = new Map<string, RunLine>();
  const ofJob = new Map<number, RunLine>();
  const ofTask = new Map<string, number>();
  for (const run of list) {
    if (run.phase !== 'settled') say(`run ${run.id} is still ${run.phase}`);
    const place = `${run.repo}#${run.branch}`;
    const former = onBranch.get(place);
    if (former !== undefined && (former.ended_at ?? Infinity) > run.started_at)
      say(`runs ${former.id} and ${run.id} of ${place} ran at one time`);
    onBranch.set(place, run);
    const before = ofJob.get(run.job_id);
    if (run.attempt !== (before?.attempt ?? 0) + 1) say(`run ${run.id} is try ${run.attempt} of job ${run.job_id}`);
    if (run.lease_token <= (before?.lease_token ?? 0)) say(`the lease token of run ${run.id} does not rise`);
    ofJob.set(run.job_id, run);
    if (run.task_id === null) continue;
    const count = (ofTask.get(run.task_id) ?? 0) + 1;
    ofTask.set(run.task_id, count);
    if (run.run_cap !== null && count > run.run_cap) say(`run ${run.id} of ${run.task_id} is above the cap of runs`);
  }
  for (const task of all<{ id: string; runs: number }>('SELECT id, runs FROM tasks'))
    if (task.runs !== (ofTask.get(task.id) ?? 0))
      say(`${task.id} counts ${task.runs} runs and had ${ofTask.get(task.id) ?? 0}`);
}

interface JobLine {
  id: number;
  task_id: string | null;
  cause: string;
  state: string;
  lease_token: number;
  attempts: number;
  max_attempts: number;
  transient: number;
  max_transient: number;
  interruptions: number;
  max_interruptions: number;
  created_at: number;
  finished_at: number | null;
  token: number | null;
  last_run: number | null;
  reports: number;
  last_reports: number;
}

/** One live job a task at every instant, one job a cause, budgets, and one word to the task for every job that ran. */
function jobs({ all }: Rows, say: Say): void {
  const list = all<JobLine>(`SELECT j.*,
      (SELECT max(lease_token) FROM runs WHERE job_id = j.id) AS token, (SELECT max(id) FROM runs WHERE job_id = j.id) AS last_run,
      (SELECT count(*) FROM messages AS m JOIN runs AS r ON m.source_key = 'run:' || r.id WHERE r.job_id = j.id)
        + (SELECT count(*) FROM messages AS m WHERE m.source_key = 'job_refused:' || j.id) AS reports,
      EXISTS (SELECT 1 FROM messages AS m WHERE m.task_id = j.task_id
        AND m.source_key IN ('run:' || (SELECT max(id) FROM runs WHERE job_id = j.id), 'job_refused:' || j.id)) AS last_reports
    FROM jobs AS j ORDER BY j.id`);
  const ofTask = new Map<string, JobLine>();
  const causes = new Set<string>();
  for (const job of list) {
    if (job.token !== null && job.lease_token !== job.token)
      say(`job ${job.id} has token ${job.lease_token}, its last run ${job.token}`);
    if (
      job.attempts > job.max_attempts ||
      job.transient > job.max_transient + 1 ||
      job.interruptions > job.max_interruptions + 1
    )
      say(`job ${job.id} spent more than its budgets`);
    const cause = `${job.task_id ?? ''} ${job.cause}`;
    if (causes.has(cause)) say(`job ${job.id} has the cause of another one: ${job.cause}`);
    causes.add(cause);
    if (job.task_id === null) continue;
    const former = ofTask.get(job.task_id);
    if (former !== undefined && (former.finished_at ?? Infinity) > job.created_at)
      say(`jobs ${former.id} and ${job.id} of ${job.task_id} lived at one time`);
    ofTask.set(job.task_id, job);
    if (job.finished_at === null || job.last_run === null) continue;
    // One that was cancelled while it waited for another try has nothing to tell.
    if (
      job.reports > 1 ||
      (job.reports === 0 && job.state !== 'cancelled') ||
      (job.reports === 1 && job.last_reports === 0)
    )
      say(`job ${job.id} notified ${job.task_id ?? ''} ${job.reports} times of its end`);
  }
}

/** What was reserved and spent is what the runs say. */
function dollars({ all }: Rows, say: Say): void {
  const list = all<{
    id: string;
    reserved_micros: number;
    spent_micros: number;
    open: number;
    spent: number;
    cap: number;
  }>(
    `SELECT t.id, t.reserved_micros, t.spent_micros,
       (SELECT coalesce(sum(budget_micros), 0) FROM runs WHERE task_id = t.id AND phase <> 'settled') AS open,
       (SELECT coalesce(sum(coalesce(json_extract(outcome, '$.costMicros'), budget_micros, 0)), 0) FROM runs
         WHERE task_id = t.id AND phase = 'settled') AS spent,
       (SELECT max(cost_cap_micros) FROM jobs WHERE task_id = t.id) AS cap
     FROM tasks AS t`,
  );
  for (const task of list) {
    if (task.reserved_micros !== task.open) say(`${task.id} reserves ${task.reserved_micros}, its runs ${task.open}`);
    if (task.spent_micros !== task.spent) say(`${task.id} spent ${task.spent_micros}, its runs ${task.spent}`);
    if (task.cap !== null && task.spent_micros + task.reserved_micros > task.cap)
      say(`${task.id} is above its cost cap`);
  }
}

/** What may not be broken even for a moment: looked at while everything runs. */
export function violationsNow(database: string, maxConcurrency: number): string[] {
  const found: string[] = [];
  const db = new Database(database, { readonly: true, timeout: 5000 });
  try {
    const slots = db
      .prepare(`SELECT host, count(*) AS n FROM runs WHERE phase IN ('preparing', 'running') GROUP BY host`)
      .all() as { host: string; n: number }[];
    for (const { host, n } of slots)
      if (n > maxConcurrency) found.push(`${n} runs at one time on ${host}, ${maxConcurrency} are allowed`);
    const twice = db
      .prepare(
        `SELECT repo || '#' || branch AS place FROM jobs WHERE state = 'running' GROUP BY repo, branch HAVING count(*) > 1
        UNION ALL SELECT task_id FROM jobs WHERE state IN ('queued', 'delayed', 'running') AND task_id IS NOT NULL
        GROUP BY task_id HAVING count(*) > 1`,
      )
      .all() as { place: string }[];
    for (const { place } of twice) found.push(`${place} has two jobs at one time`);
  } finally {
    db.close();
  }
  return found;
}
