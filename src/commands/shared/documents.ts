import type { AgentBreaker, DecisionRow, Job, TaskRow, Tokens } from '../../core/model/index.ts';
import { rfc3339, rfc3339OrNull } from '../../ui/format.ts';

// Rows of the store as several commands print them under `--json`: fields are snake_case, times RFC 3339 in UTC.

export function taskDocument(row: TaskRow): Record<string, unknown> {
  const { task, meta, liveJob, run } = row;
  return {
    id: task.id,
    title: task.title,
    stage: task.stage,
    paused: task.paused,
    pipeline: task.pipeline,
    repo: task.repo,
    branch: task.branch,
    pull_request: task.prNumber,
    version: meta.version,
    visit: task.visit,
    runs: meta.runs,
    spent_dollars: meta.spentMicros / 1e6,
    stage_since: rfc3339(task.stageSince),
    hold:
      task.hold === null
        ? null
        : {
            cause: task.hold.cause,
            blocking: task.hold.blocking,
            owner: task.hold.owner,
            text: task.hold.text,
            cleared_by: task.hold.clearedBy,
            command: task.hold.command,
            since: rfc3339(task.hold.since),
          },
    job:
      liveJob === null
        ? null
        : {
            id: liveJob.id,
            role: liveJob.role,
            kind: liveJob.kind,
            state: liveJob.state,
            available_at: rfc3339(liveJob.availableAt),
            error: liveJob.lastError,
          },
    run: run === null ? null : { id: run.id, role: run.role, phase: run.phase, started_at: rfc3339(run.startedAt) },
  };
}

/** Tokens by class, summed up over runs; runs whose agent did not say count as none. */
export function tokensDocument(tokens: (Tokens | null)[]): Record<string, number> {
  const sum = (of: keyof Tokens): number => tokens.reduce((all, one) => all + (one?.[of] ?? 0), 0);
  return {
    input_tokens: sum('input'),
    cache_read_tokens: sum('cacheRead'),
    cache_write_tokens: sum('cacheWrite'),
    output_tokens: sum('output'),
  };
}

export function breakerDocument(breaker: AgentBreaker): Record<string, unknown> {
  const { state, reason, detail, failures, probe } = breaker;
  return { state, reason, detail, failures, until: rfc3339OrNull(breaker.until), probe_run: probe };
}

export function jobDocument(job: Job): Record<string, unknown> {
  return {
    id: job.id,
    task: job.taskId,
    kind: job.kind,
    role: job.role,
    state: job.state,
    repo: job.repo,
    branch: job.branch,
    cause: job.cause,
    attempts: job.attempts,
    max_attempts: job.maxAttempts,
    available_at: rfc3339(job.availableAt),
    created_at: rfc3339(job.createdAt),
    finished_at: rfc3339OrNull(job.finishedAt),
    error: job.lastError,
  };
}

export function eventDocument(row: DecisionRow): Record<string, unknown> {
  return {
    id: row.id,
    at: rfc3339(row.at),
    task: row.taskId,
    from: row.fromStage,
    to: row.toStage,
    rule: row.why.rule,
    why: row.why.sentence,
    cause: row.why.cause,
    evidence: row.why.evidence,
    hold: row.holdCause,
    version: row.version,
  };
}
