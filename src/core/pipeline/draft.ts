import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type {
  Decision,
  EffectBody,
  Evidence,
  LinkedPolicy,
  NewEffect,
  NewJob,
  NoticeEvent,
  NoticeLinks,
  Orders,
  ItemPhase,
  Snapshot,
  Task,
  Visit,
  Why,
} from '../model/index.ts';
import { isWorkStage } from '../model/index.ts';
import { channels, chatLane } from './channels.ts';
import { documentFolder } from './artifacts.ts';
import { handedOn } from './feedback.ts';
import type { StageFacts, StageLookup } from './stages/stage.ts';

/** A decision under construction: copies of the task and its visit that the rules write to, and what follows outside. */
export interface Draft {
  readonly from: Snapshot;
  readonly policy: LinkedPolicy;
  readonly now: number;
  readonly stageFacts: StageLookup;
  /** What was collected for this decision. */
  readonly evidence: Evidence;
  task: Task;
  visit: Visit | null;
  jobs: NewJob[];
  cancelJobs: Decision['cancelJobs'];
  effects: NewEffect[];
  handled: Decision['handled'];
}

export function draftOf(
  from: Snapshot,
  policy: LinkedPolicy,
  now: number,
  stageFacts: StageLookup,
  evidence: Evidence = {},
): Draft {
  return {
    from,
    policy,
    now,
    stageFacts,
    evidence,
    task: structuredClone(from.task),
    visit: structuredClone(from.visit),
    jobs: [],
    cancelJobs: [],
    effects: [],
    handled: null,
  };
}

/** Whether the task is in the stage that merges its branch. */
export function mergesHere(draft: Draft): boolean {
  return isWorkStage(draft.task.stage) && currentStage(draft).merges;
}

/** Facts of the stage the task is in. @throws Error for a stage without an agent */
export function currentStage(draft: Draft): StageFacts {
  return draft.stageFacts(draft.task.stage);
}

export function visitChanged(draft: Draft): boolean {
  return !isDeepStrictEqual(draft.visit, draft.from.visit);
}

export function finish(draft: Draft, wakeAt: number | null, why: Why): Decision {
  draft.task.updatedAt = draft.now;
  return {
    task: draft.task,
    visit: visitChanged(draft) ? draft.visit : null,
    jobs: draft.jobs,
    cancelJobs: draft.cancelJobs,
    effects: draft.effects,
    handled: draft.handled,
    wakeAt,
    why,
  };
}

/** Keys are made from the version the commit will have: the same decision has the same keys, another one never. */
export function effect(draft: Draft, name: string, lane: string, body: EffectBody, report: boolean): string {
  const base = `${draft.task.id}/${draft.from.meta.version + 1}/${name}`;
  const before = draft.effects.filter((other) => other.key === base || other.key.startsWith(`${base}-`)).length;
  const key = before === 0 ? base : `${base}-${before}`;
  draft.effects.push({ key, lane, body, report });
  return key;
}

const trackerLane = (task: Task): string => `tracker:${task.itemId}`;
export const forgeLane = (task: Task): string => `forge:${task.repo}#${task.branch}`;
/** Of its own: a review that cannot be posted keeps no merge waiting. */
export const reviewLane = (task: Task): string => `review:${task.repo}#${task.branch}`;

/** Sends people a notice, on the channels of spec 10. Returns the key of the comment in the work item, where there is one. */
export function notify(draft: Draft, body: NoticeEvent, artifact: string | null = null): string | null {
  const { task } = draft;
  const notice = { taskId: task.id, title: task.title, body, links: links(draft, artifact), ...labelsOf(task) };
  const { comment, chat } = channels[body.event];
  if (chat !== 'none') {
    effect(draft, `chat.${body.event}`, chatLane, { kind: 'chat.message', notice, alert: chat === 'alert' }, false);
  }
  if (!comment) return null;
  const round = roundOf(task, body);
  const reports = body.event === 'approval_wanted';
  return effect(
    draft,
    body.event,
    trackerLane(task),
    {
      kind: 'tracker.comment',
      projectId: task.projectId,
      itemId: task.itemId,
      notice: round === 1 ? notice : { ...notice, round },
    },
    reports,
  );
}

/** More different comments than this are not remembered. */
const maxSaid = 300;

/** How often this task has said the same in a comment, this time included. */
function roundOf({ progress }: Task, body: NoticeEvent): number {
  const key = createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 12);
  const said = progress.said ?? {};
  const n = (said[key] ?? 0) + 1;
  if (n > 1 || Object.keys(said).length < maxSaid) progress.said = { ...said, [key]: n };
  return n;
}

/** The names that the team gave to its own stages and roles. */
function labelsOf(task: Task): { labels?: Record<string, string> } {
  if (task.ownStages.length === 0) return {};
  return {
    labels: Object.fromEntries(
      task.ownStages.flatMap((own) => [
        [own.name, own.label],
        [own.role, own.roleLabel],
      ]),
    ),
  };
}

function links(draft: Draft, artifact: string | null): NoticeLinks {
  const { task, policy } = draft;
  const { item, branch, file, pull } = policy.links;
  const folder = documentFolder(task.id);
  const found: NoticeLinks = { item: item(task.projectId, task.itemId) };
  if (task.visit > 0) {
    found.branch = branch(task.repo, task.branch);
    found.folder = file(task.repo, task.branch, folder);
    if (artifact !== null) found.artifact = file(task.repo, task.branch, `${folder}/${artifact}`);
  }
  if (task.prNumber !== null) found.pr = pull(task.repo, task.prNumber);
  return found;
}

/** Asks for the state that shows a phase, only when it is another one than asked for last (spec 4.2). */
export function showPhase(draft: Draft, phase: ItemPhase): void {
  const { task } = draft;
  if (task.phase === phase) return;
  task.phase = phase;
  effect(
    draft,
    `state.${phase}`,
    trackerLane(task),
    { kind: 'tracker.state', projectId: task.projectId, itemId: task.itemId, phase },
    false,
  );
}

/**
 * Queues one run of the current stage's agent, under a cause that is unique for this visit and request. What the visit was
 * opened with goes along, so that a run asked for by `orch retry` knows the findings, too.
 */
export function requestAgent(draft: Draft, orders: Orders): void {
  const { task, visit, policy } = draft;
  if (visit === null || !isWorkStage(task.stage)) return;
  visit.requests += 1;
  visit.finished = null;
  const { role } = currentStage(draft);
  const said = role.writesCode ? peopleSaid(draft, visit) : [];
  draft.jobs.push({
    kind: 'agent',
    role: role.name,
    taskId: task.id,
    projectId: task.projectId,
    cause: `visit:${visit.n}:${visit.requests}`,
    repo: task.repo,
    branch: task.branch,
    visit: visit.n,
    orders: {
      why: orders.why,
      sections: [...visit.sections, ...orders.sections, ...said],
      ...(visit.threads === undefined ? {} : { threads: visit.threads.map(({ id }) => id) }),
    },
    command: null,
    timeoutMs: null,
    maxAttempts: policy.budgets.attempts,
    maxTransient: policy.budgets.transientRetries,
    maxInterruptions: policy.budgets.interruptions,
    ...caps(draft),
    availableAt: null,
  });
}

/**
 * Whether the decision starts an agent that writes code and nobody has read yet what people said about its work so far: it is
 * given that, whatever sent the task back.
 */
export function wantsFeedback({ jobs, task, evidence, stageFacts }: Draft): boolean {
  if (task.prNumber === null || evidence.feedback !== undefined || !isWorkStage(task.stage)) return false;
  return jobs.some((job) => job.kind === 'agent') && stageFacts(task.stage).role.writesCode;
}

/** What people said about the code, for the orders; the visit keeps where they wait for an answer. */
function peopleSaid({ evidence: { feedback }, task }: Draft, visit: Visit): Orders['sections'] {
  delete visit.threads;
  delete visit.heard;
  if (feedback === undefined) return [];
  if (!feedback.seen)
    return [{ title: 'What of the pull request is missing here', text: `It could not be read: ${feedback.reason}` }];
  const { sections, threads, heard } = handedOn(feedback.value, task.progress);
  if (threads.length > 0) visit.threads = threads;
  visit.heard = heard;
  // What the visit was opened with stands there already.
  return sections.filter(({ text }) => !visit.sections.some((section) => section.text === text));
}

/** The task's caps, counted from where an operator lifted them last; the claim checks them before every spawn. */
function caps(draft: Draft): { runCap: number; costCapMicros: number | null } {
  const { caps: limit } = draft.policy;
  const { runsFrom, costFromMicros } = draft.task.progress;
  return {
    runCap: runsFrom + limit.runs,
    costCapMicros: limit.costMicros === null ? null : costFromMicros + limit.costMicros,
  };
}

/** Stops what runs or waits for the task; the run's end arrives as a message. */
export function stopJob(draft: Draft): void {
  const job = draft.from.liveJob;
  if (job === null || job.cancelRequested || draft.cancelJobs.includes(job.id)) return;
  draft.cancelJobs.push(job.id);
  if (job.kind === 'check') draft.task.progress.lostChecks += 1;
}
