// Last lines of orch's commits, by which their owner is told.

/** Whose work item a commit is for (spec 4.1). */
export function itemTrailer(itemId: string): string {
  return `Orch-Item: ${itemId}`;
}

/** Which database of orch made a commit. */
export function databaseTrailer(database: string): string {
  return `Orch-Database: ${database}`;
}

/** The database that a commit names; null: none, as before 0.2. */
export function databaseIn(message: string): string | null {
  return /^Orch-Database: ([0-9a-f]{8})$/m.exec(message)?.[1] ?? null;
}
