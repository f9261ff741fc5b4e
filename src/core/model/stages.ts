/**
 * Name of a stage: `created`, `done`, `cancelled`, or of a work stage. What a work stage is made of stands in
 * `pipeline/stages`; a team may define its own (spec 3.5), so the names are open.
 */
export type Stage = string;

/** Name of a stage in which an agent works. */
export type WorkStage = string;

/** Name of an agent's role. */
export type Role = string;

/** The stages without an agent: where a task begins, and the two in which it can end (spec 2). */
const agentless: readonly string[] = ['created', 'done', 'cancelled'];

export function isWorkStage(stage: Stage): stage is WorkStage {
  return !agentless.includes(stage);
}

/** A task that nothing more will happen to by itself. */
export function isFinal(stage: Stage): boolean {
  return stage === 'done' || stage === 'cancelled';
}

/** What may be collected for a team's own stage: the code tree is always there (spec 3.5). */
export const ownStageNeeds = ['ci', 'reviews'] as const;
type OwnStageNeed = (typeof ownStageNeeds)[number];

/**
 * A stage that a team defines in its configuration (spec 3.5). It is copied into every task whose pipeline names it, so that
 * tasks under way keep the stage they began with.
 */
export interface OwnStage {
  name: WorkStage;
  role: Role;
  /** Below the task's document folder, such as `14-security.md`. */
  document: string;
  /** Key of the document's front matter, lower case. */
  key: string;
  /** Values of that key, upper case: what passes the gate and what fails it. Anything else cannot be read. */
  pass: string[];
  fail: string[];
  /** Stage that a fail goes back to, and how often, until the task is held. */
  failTo: WorkStage;
  maxFails: number;
  needs: OwnStageNeed[];
  /** What people read instead of the names. */
  label: string;
  roleLabel: string;
}
