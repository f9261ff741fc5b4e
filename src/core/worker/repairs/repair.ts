import type { RepoSlug } from '../../model/index.ts';
import type { WorkerDeps } from '../deps.ts';

/** What the repairs need besides a worker's parts. */
export interface RepairDeps extends WorkerDeps {
  /** Folder of the run folders. */
  runsDir: string;
  /** Repositories of the configured projects. */
  repos: RepoSlug[];
  /** How long the workspace of a done task is kept, milliseconds. */
  workspaceRetentionMs: number;
  /** How long the folder of a settled run is kept, milliseconds. */
  runRetentionMs: number;
  /** How long the rows of a task that has ended are kept as they are, milliseconds; then they are packed. */
  taskRetentionMs: number;
}

/** Something that a crash, a reboot or a hand left behind, in one line, and what is done about it. */
export interface Finding {
  /** What was found, for people. */
  line: string;
  /**
   * Repairs it and says what was done; null where only a person can; `left` where it is in order as it is and somebody else
   * goes on with it. Repeatable, safe next to living workers.
   */
  fix: (() => Promise<string>) | 'left' | null;
}

/** One kind of damage: searched for without changing anything, repaired one by one. */
export interface Repair {
  name: string;
  find: (deps: RepairDeps) => Promise<Finding[]>;
}
