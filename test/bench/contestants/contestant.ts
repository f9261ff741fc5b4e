/** How hard a commit is pressed to the disk: the two values of SQLite's `synchronous` that matter with a WAL. */
export type Durability = 'NORMAL' | 'FULL';

/** What every contestant can do in its process. All times are milliseconds, all data its own. */
export interface Contestant {
  /** Makes a database with so many rows, by direct SQL: through the queues' own doors it would take hours. */
  seed(file: string, queued: number, delayed: number): void | Promise<void>;
  /** Opens a seeded database and presses commits to the disk so hard. */
  open(file: string, durability: Durability): void | Promise<void>;
  /** Takes `n` due jobs one after the other and finishes each before the next; answers how long it took. */
  take(n: number): Promise<number>;
  /** Puts `n` new due jobs in, so that the next round meets as many as this one; not measured. */
  refill(n: number): void | Promise<void>;
  /** Stores `n` decisions, each with a job and two effects to come of it; answers how long it took. */
  decide(n: number): Promise<number>;
  close(): void | Promise<void>;
}

/** About 200 bytes, what every job carries here. */
export const payload = {
  why: 'the gate of the previous stage passed and the next agent has to work',
  sections: [{ title: 'Findings', text: 'The quantities of all lines of a cart are added up; the rest is as it was.' }],
};

/** One day: what is delayed stays so while anything is measured. */
export const delayMs = 24 * 3_600_000;
