import type { Config } from '../../core/config/config.ts';
import { isFinal } from '../../core/model/index.ts';
import type { Links, ProjectPolicy, Run, Store, Task, TaskRow, Visit } from '../../core/model/index.ts';
import { linksOf } from '../../core/peers/links.ts';
import { rfc3339, rfc3339OrNull } from '../../ui/format.ts';
import { taskState } from './overview.ts';
import { stageTimes, type StageTime } from './stage-times.ts';
import { taskDocument, tokensDocument } from './documents.ts';

/** One capped counter of a task; `of` is null without a cap or when the project has left the configuration. */
interface Budget {
  name: string;
  used: number;
  of: number | null;
}

/** Addresses people follow, made from the configuration only; null where there is nothing to follow yet. */
interface TaskLinks {
  item: string | null;
  branch: string | null;
  pullRequest: string | null;
}

/** Everything the view of one task and its report start from. */
export interface TaskFacts {
  now: number;
  row: TaskRow;
  policy: ProjectPolicy | undefined;
  links: TaskLinks;
  visits: Visit[];
  stages: StageTime[];
  /** Oldest first. */
  runs: Run[];
  budgets: Budget[];
  /** Micro-dollars of the cap; null without one. */
  costCap: number | null;
}

/** Newest runs of a task that are looked at; the cap of runs is far below it. */
const maxRuns = 1000;

export async function readTaskFacts(store: Store, config: Config, row: TaskRow): Promise<TaskFacts> {
  const { task, liveJob } = row;
  const [visits, runs] = await Promise.all([store.visits(task.id), store.runs({ taskId: task.id, limit: maxRuns })]);
  const policy = config.projects.find((project) => project.projectId === task.projectId);
  const now = store.now();
  return {
    now,
    row,
    policy,
    links: policy === undefined ? noLinks : taskLinks(task, linksOf(config)),
    visits,
    stages: stageTimes(task, visits, liveJob !== null, now),
    runs: runs.reverse(),
    budgets: budgetsOf(row, policy),
    costCap: policy?.caps.costMicros ?? null,
  };
}

/** Of a task whose project has left the configuration. */
const noLinks: TaskLinks = { item: null, branch: null, pullRequest: null };

function taskLinks({ projectId, itemId, repo, branch, visit, prNumber }: Task, links: Links): TaskLinks {
  return {
    item: links.item(projectId, itemId),
    branch: visit === 0 ? null : links.branch(repo, branch),
    pullRequest: prNumber === null ? null : links.pull(repo, prNumber),
  };
}

function budgetsOf({ task, meta }: TaskRow, policy: ProjectPolicy | undefined): Budget[] {
  const { counters } = task;
  const caps = policy?.caps;
  return [
    { name: 'runs', used: meta.runs, of: caps?.runs ?? null },
    { name: 'developer reruns', used: counters.developerReruns, of: caps?.developerReruns ?? null },
    { name: 'question rounds', used: counters.questionRounds, of: caps?.questionRounds ?? null },
    { name: 'rejections', used: counters.rejections, of: caps?.rejections ?? null },
    { name: 'conflict rounds', used: counters.conflictRounds, of: caps?.conflictRounds ?? null },
  ];
}

/** How a run stands or ended, in a word. */
export function runResult(run: Run): string {
  return run.phase === 'settled' ? (run.outcome?.kind ?? 'settled') : run.phase;
}

export function runMs(run: Run, now: number): number {
  return Math.max(0, (run.endedAt ?? now) - run.startedAt);
}

export function runDocument(run: Run, now: number): Record<string, unknown> {
  const { outcome } = run;
  return {
    id: run.id,
    job: run.jobId,
    role: run.role,
    kind: run.kind,
    attempt: run.attempt,
    host: run.host,
    phase: run.phase,
    result: outcome?.kind ?? null,
    cause: outcome?.cause ?? null,
    detail: outcome?.detail ?? null,
    exit_code: outcome?.exitCode ?? null,
    cost_dollars: outcome?.costMicros === null || outcome === null ? null : outcome.costMicros / 1e6,
    tokens: outcome?.tokens == null ? null : tokensDocument([outcome.tokens]),
    turns: outcome?.turns ?? null,
    folder: run.folder === '' ? null : run.folder,
    published_sha: run.publishedSha,
    started_at: rfc3339(run.startedAt),
    ended_at: rfc3339OrNull(run.endedAt),
    duration_seconds: runMs(run, now) / 1000,
  };
}

export function taskFactsDocument(facts: TaskFacts): Record<string, unknown> {
  const { row, now } = facts;
  return {
    now: rfc3339(now),
    task: {
      ...taskDocument(row),
      state: taskState(row),
      rests: facts.policy === undefined && !isFinal(row.task.stage),
    },
    links: { item: facts.links.item, branch: facts.links.branch, pull_request: facts.links.pullRequest },
    stages: facts.stages.map(({ stage, state, ms, visits }) => ({ stage, state, seconds: ms / 1000, visits })),
    budgets: facts.budgets.map(({ name, used, of }) => ({ name: name.replaceAll(' ', '_'), used, of })),
    cost: {
      spent_dollars: row.meta.spentMicros / 1e6,
      reserved_dollars: row.meta.reservedMicros / 1e6,
      cap_dollars: facts.costCap === null ? null : facts.costCap / 1e6,
    },
    tokens: tokensDocument(facts.runs.map(({ outcome }) => outcome?.tokens ?? null)),
    undelivered_effects: row.pendingEffects,
    queued_messages: row.queuedMessages,
    looks_again_at: rfc3339OrNull(row.meta.wakeAt),
    runs: facts.runs.map((run) => runDocument(run, now)),
  };
}
