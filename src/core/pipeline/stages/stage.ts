import type {
  EvidenceNeed,
  HoldLift,
  HoldOwner,
  ItemPhase,
  ProjectPolicy,
  Role,
  Stage,
  Visit,
  Words,
  WorkStage,
} from '../../model/index.ts';

/** A cause for which a task does not move: who can clear it, and what clears it (spec 2, 3.3). */
export interface HoldKind {
  cause: string;
  /** A blocking hold stops the gate from being judged until it is lifted; a waiting one does not. */
  blocking: boolean;
  owner: HoldOwner;
  phase: ItemPhase;
  /** What lifting it does. */
  lift: HoldLift;
  /** What clears it, half a sentence; Russian where people read it in a message. */
  clearedBy: { en: string; ru?: string };
  /** Whether people get a hold notice; waits that have a notice of their own do not. */
  notifies: boolean;
  /** What people read of the cause. */
  words: Words;
  /** A wait for something that cannot be seen from here: a person may say that it is there now. */
  retried?: boolean;
}

/** A reason for which work goes back and an agent runs again. */
export interface BounceKind {
  cause: string;
  words: Words;
}

/** An agent: what is particular to its role when nothing is configured (spec 7). */
export interface RoleFacts {
  name: Role;
  words: Words;
  /** Null: the command's own choice. */
  model: string | null;
  /** Null: `agent.timeoutMinutes`. */
  timeoutMinutes: number | null;
  /** Whether its work is code: it may change everything but the protected paths, and its commits are features. */
  writesCode: boolean;
}

/** What most roles have in common; each names what is different. */
export const defaultRole = { model: null, timeoutMinutes: null, writesCode: false } satisfies Partial<RoleFacts>;

/** What is known of a work stage without running its rules; everything outside of the pipeline derives from it. */
export interface StageFacts {
  name: WorkStage;
  words: Words;
  role: RoleFacts;
  /** Name of the gate to leave it, for the documentation. */
  gate: string;
  /** What the agent has to leave, one line each. @param folder the task's document folder */
  products: (folder: string) => string[];
  /** Documents below that folder whose text the stage's rules read. */
  reads: string[];
  /** What has to be collected before its rules can be asked, besides head, documents and code tree. */
  needs: (policy: ProjectPolicy) => EvidenceNeed[];
  /** The document whose front matter says which commit was judged; null where none does. */
  verdictDocument: string | null;
  /** Whether a poll asks for CI's answers although nothing waits for them: red code is seen while the agent works. */
  watchesCi: boolean;
  /** Whether a poll reads the reviews of the pull request. */
  watchesReviews: boolean;
  /** Whether the branch is merged in this stage: a merge by a person then counts as the stage's own. */
  merges: boolean;
  /** Whether the agent starts with the visit; otherwise the rules start it later. */
  agentFirst: (policy: ProjectPolicy, visit: Visit) => boolean;
  /** Where the stage leads in the default pipeline, for the documentation and the checks of the journal. */
  edges: { to: Stage; name: string }[];
  /** Holds and bounces that only this stage knows. */
  holds: HoldKind[];
  bounces: BounceKind[];
}

/** Looks up the stages of one task: the built-in ones and those its team defined. */
export type StageLookup = (name: WorkStage) => StageFacts;

/** A hold that somebody has to lift. */
export function blocking(
  cause: string,
  owner: HoldOwner,
  lift: HoldLift,
  clearedBy: HoldKind['clearedBy'],
  words: Words,
): HoldKind {
  return { cause, blocking: true, owner, phase: 'blocked', lift, clearedBy, notifies: true, words };
}

/** A wait: orch looks again by itself. */
export function waiting(
  cause: string,
  owner: HoldOwner,
  phase: ItemPhase,
  clearedBy: HoldKind['clearedBy'],
  words: Words,
  over: Partial<Pick<HoldKind, 'notifies' | 'lift' | 'retried'>> = {},
): HoldKind {
  return { cause, blocking: false, owner, phase, lift: 'rejudge', clearedBy, notifies: false, words, ...over };
}
