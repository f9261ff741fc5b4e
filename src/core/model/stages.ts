/** The stages of a task, in order, and the two it can end in (spec 2). */
export const stages = [
  'created',
  'analysis',
  'architecture',
  'development',
  'review',
  'testing',
  'deploy',
  'done',
  'cancelled',
] as const;
export type Stage = (typeof stages)[number];

/** The stages in which an agent works. */
export type WorkStage = Exclude<Stage, 'created' | 'done' | 'cancelled'>;

export const roles = ['analyst', 'architect', 'developer', 'reviewer', 'tester', 'deployer'] as const;
export type Role = (typeof roles)[number];

/** Which agent works in which stage (spec 3). The stage's agent is the one that works *in* it, never the next one. */
export const roleOfStage: Record<WorkStage, Role> = {
  analysis: 'analyst',
  architecture: 'architect',
  development: 'developer',
  review: 'reviewer',
  testing: 'tester',
  deploy: 'deployer',
};

export const workStages = Object.keys(roleOfStage) as WorkStage[];

export function isWorkStage(stage: Stage): stage is WorkStage {
  return stage in roleOfStage;
}

export function isStage(text: string): text is Stage {
  return (stages as readonly string[]).includes(text);
}

export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}

/** A task that nothing more will happen to by itself. */
export function isFinal(stage: Stage): boolean {
  return stage === 'done' || stage === 'cancelled';
}
