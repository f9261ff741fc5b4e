import type { EffectEnd } from './effect.ts';
import type { EffectId, JobId, MessageId, RunId, TaskId } from './ids.ts';
import type { JobKind, Published, RunOutcome } from './job.ts';
import type { Role, Stage } from './stages.ts';

/** An approval marker found in a comment (spec 4.3). */
export type Marker = { kind: 'approved' } | { kind: 'rejected'; reason: string };

/** Something addressed to a task: queued, handled once, in order (spec 2). */
export type MessageBody =
  | {
      kind: 'run_finished';
      runId: RunId;
      jobId: JobId;
      jobKind: JobKind;
      role: Role;
      visit: number;
      outcome: RunOutcome;
      published: Published | null;
      durationMs: number;
      /** Why no further run of this job follows although it did not succeed; null when it succeeded. */
      exhausted: 'attempts' | 'transient' | 'interruptions' | 'cancelled' | 'refused' | null;
      /** Changes left in the workspace that are not on the server (spec 7). */
      unpushed: boolean;
      /** Why a run that succeeded could not be published: the branch moved, or the server refused it. */
      notPublished?: string;
    }
  | {
      kind: 'comment';
      commentId: string;
      actor: string;
      actorName: string;
      updatedBy: string | null;
      /** Both the author and the last editor may approve (spec 4.3). */
      allowed: boolean;
      /** Who rewrote a comment of somebody who may approve without being allowed to; absent otherwise. */
      rewrittenBy?: string;
      marker: Marker | null;
      /** What was probably meant as a marker and is none, cut; absent where there is a marker or nothing like it. */
      nearMiss?: string;
      /** The comment as Markdown. Untrusted. */
      text: string;
      /** When the tracker last changed it, ms since the epoch. */
      updatedAt: number;
    }
  /** Another database of orch has commented on the item. */
  | { kind: 'other_database'; database: string; commentId: string }
  | ({ kind: 'effect_settled'; effectId: EffectId; key: string } & EffectEnd)
  | { kind: 'job_refused'; jobId: JobId; role: Role; reason: 'run_cap' | 'cost_cap' }
  /** Another repository took the place of the one in which the task began; the text says which. */
  | { kind: 'repository_replaced'; text: string }
  | { kind: 'command'; name: 'retry'; by: string }
  | { kind: 'command'; name: 'advance'; by: string; to: Stage | null; force: boolean }
  | { kind: 'command'; name: 'cancel'; by: string }
  | { kind: 'command'; name: 'reopen'; by: string }
  | { kind: 'command'; name: 'pause'; by: string }
  | { kind: 'command'; name: 'resume'; by: string }
  | { kind: 'command'; name: 'run'; by: string; role: Role };

export type MessageOf<K extends MessageBody['kind']> = Extract<MessageBody, { kind: K }>;

export interface NewMessage {
  taskId: TaskId;
  /** The same source key is the same message: a comment seen by two polls is queued once. */
  sourceKey: string;
  body: MessageBody;
}

export interface Message extends NewMessage {
  id: MessageId;
  createdAt: number;
}
