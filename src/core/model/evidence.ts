import type { CommitSha } from './ids.ts';
import type { Feedback } from './feedback.ts';
import type { Protection } from './forge.ts';
import type { ReviewRow, StatusRow } from './mirror.ts';

/** One file of the task's document folder at the judged commit. */
export interface Artifact {
  /** Path below the document folder. */
  path: string;
  blob: string;
  size: number;
  /** Content, for the few files whose text is judged or handed on; null when not read. */
  text: string | null;
}

/** Evidence that may not be had: the API is down, the file unreadable. A gate answers `pending` then, never `pass`. */
export type Seen<T> = { seen: true; value: T } | { seen: false; reason: string };

/** What the collector fetched for one judgement (architecture.md: the only collector is engine/evidence.ts). */
export interface Evidence {
  /** The head that was judged: what the server has now. */
  head?: Seen<CommitSha>;
  /** Whether the head still contains what was published last: false after a force-push. */
  lineage?: Seen<{ intact: boolean; reference: CommitSha }>;
  artifacts?: Seen<Artifact[]>;
  /** Commit's tree without the task's own document folder. */
  codeTree?: Seen<string>;
  /** Newest status per context, of every known commit whose code tree equals the head's. */
  statuses?: Seen<StatusRow[]>;
  /**
   * Reviews of the task's pull request, oldest first, with whether each was made on the head's code. Those of the second account, `own`,
   * stand apart: they repeat the agent's verdict and are no person's vote.
   */
  reviews?: Seen<{ author: string; rows: (ReviewRow & { sameCode: boolean })[]; own?: ReviewRow[] }>;
  /** What people said on the task's pull request; read when a decision hands it on. */
  feedback?: Seen<Feedback>;
  /** Whether the head merges into the base branch without conflict, asked of git. */
  merges?: Seen<{ clean: boolean; conflicts: string[] }>;
  /** The commit a verdict is about, and whether it has the head's code tree. */
  verdictCommit?: Seen<{ named: string; sameCode: boolean } | null>;
  /** The task's pull request, asked for now: the poll's mirror may be older than a merge by the deployer. */
  pull?: Seen<{ merged: boolean; mergedSha: CommitSha | null; baseBranch: string }>;
  /** What the base branch demands of a merge, and the head's own statuses where it demands any. */
  protection?: Seen<{ rule: Protection | null; statuses: StatusRow[] }>;
  /** Whether the document folder already exists on the base branch, and whose branch stands there (intake). */
  intake?: Seen<{ folderOnBase: boolean; branchOwner: 'none' | 'this' | 'other' | { database: string } }>;
}

export type EvidenceNeed = keyof Evidence;

/** Answer of a gate (spec 3.1). `subject` says what exactly was judged: commit, code tree, blob, comment or run ids. */
export interface Verdict {
  status: 'pass' | 'fail' | 'pending';
  reason: string;
  subject: Record<string, string>;
}
