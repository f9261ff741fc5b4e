import type {
  AgentBreaker,
  EffectKind,
  HoldCause,
  JobKind,
  MessageBody,
  MirrorKind,
  OwnStage,
  ItemPhase,
  ProcessRow,
  Role,
  Stage,
} from '../model/index.ts';
import { itemPhases } from '../model/index.ts';
import { holdKinds, stageNames } from '../pipeline/stages/index.ts';

// Lists of words that grow with the program are checked here, where a row is written, and not by a CHECK of the schema:
// one word more is then no rebuild of a table. The compiler keeps the lists equal to their types. A word that is not in
// its list is a defect of the program and stops the transaction, as a CHECK would. Rows are read as they are, so that one
// row of a newer or a changed program does not hide all others.

const jobKinds = { agent: true, check: true, adhoc: true } satisfies Record<JobKind, true>;
const mirrorKinds = { item: true, branch: true, pr: true, reviews: true, statuses: true } satisfies Record<
  MirrorKind,
  true
>;
const processKinds = { poller: true, worker: true } satisfies Record<ProcessRow['kind'], true>;
const breakerReasons = { transient: true, usage_limit: true, authentication: true } satisfies Record<
  NonNullable<AgentBreaker['reason']>,
  true
>;
const messageKinds = {
  run_finished: true,
  comment: true,
  effect_settled: true,
  other_database: true,
  job_refused: true,
  repository_replaced: true,
  command: true,
} satisfies Record<MessageBody['kind'], true>;
const effectKinds = {
  'tracker.comment': true,
  'tracker.state': true,
  'chat.message': true,
  'git.start_branch': true,
  'forge.open_pull': true,
  'forge.merge_pull': true,
  'forge.post_review': true,
  'forge.answer_threads': true,
} satisfies Record<EffectKind, true>;

/** Name of a stage: one of the product, or one that the task's team defined. */
export function asStage(word: string, own: OwnStage[]): Stage {
  return stageNames.includes(word) || own.some((stage) => stage.name === word) ? word : refuse('stage', word);
}

/** Name of a role. A team may have roles of its own, so only the form is checked. */
export function asRole(word: string): Role {
  return /^[a-z][a-z0-9-]*$/.test(word) ? word : refuse('role', word);
}

export function asHoldCause(word: string): HoldCause {
  return holdKinds.has(word) ? word : refuse('cause of a hold', word);
}

export function asPhase(word: string): ItemPhase {
  return (itemPhases as readonly string[]).includes(word) ? (word as ItemPhase) : refuse('phase', word);
}

export function asJobKind(word: string): JobKind {
  return wordOf(jobKinds, 'kind of job', word);
}

export function asMirrorKind(word: string): MirrorKind {
  return wordOf(mirrorKinds, 'kind of mirror', word);
}

export function asMessageKind(word: string): MessageBody['kind'] {
  return wordOf(messageKinds, 'kind of message', word);
}

export function asEffectKind(word: string): EffectKind {
  return wordOf(effectKinds, 'kind of effect', word);
}

export function asProcessKind(word: string): ProcessRow['kind'] {
  return wordOf(processKinds, 'kind of process', word);
}

export function asBreakerReason(word: string): NonNullable<AgentBreaker['reason']> {
  return wordOf(breakerReasons, 'reason', word);
}

function wordOf<W extends string>(list: Record<W, true>, what: string, word: string): W {
  return Object.hasOwn(list, word) ? (word as W) : refuse(what, word);
}

function refuse(what: string, word: string): never {
  throw new Error(`"${word}" is no ${what}`);
}
