import type { HoldCause, OwnStage, Role, Stage, Task, Words, WorkStage } from '../../model/index.ts';
import { bounces } from '../rules/moves.ts';
import { holds } from '../rules/holds.ts';
import { analysis } from './analysis.ts';
import { architecture } from './architecture.ts';
import { created } from './created.ts';
import type { StageDefinition } from './definition.ts';
import { deploy } from './deploy.ts';
import { development } from './development.ts';
import { ownHolds, ownStage, stageFailed } from './own.ts';
import { review } from './review.ts';
import { defaultRole, type BounceKind, type HoldKind, type RoleFacts } from './stage.ts';
import { testing } from './testing.ts';

/** The built-in work stages, in the order of the default pipeline (spec 3). A new one is listed here and nowhere else. */
export const builtInStages: readonly StageDefinition[] = [analysis, architecture, development, review, testing, deploy];

/** The stages of a pipeline that names none. Fixed: adding a stage to the product changes no project's pipeline. */
export const defaultPipeline: readonly WorkStage[] = [
  'analysis',
  'architecture',
  'development',
  'review',
  'testing',
  'deploy',
];

/** The stages in which no agent works. */
const agentless: { name: Stage; words: Words }[] = [
  created,
  { name: 'done', words: { en: 'done', ru: 'готово' } },
  { name: 'cancelled', words: { en: 'cancelled', ru: 'отменена' } },
];

/** Every stage of the product, in order: `created`, the work stages, `done`, `cancelled`. */
export const stageNames: readonly Stage[] = [
  created.name,
  ...builtInStages.map((stage) => stage.name),
  'done',
  'cancelled',
];

const builtInRoles: readonly RoleFacts[] = builtInStages.map((stage) => stage.role);
export const roleNames: readonly Role[] = builtInRoles.map((role) => role.name);

/** The role of that name, or the plainest one: a team's own writes documents. */
export function roleFacts(name: Role): RoleFacts {
  const known = builtInRoles.find((role) => role.name === name);
  return known ?? { ...defaultRole, name, words: { en: name, ru: name } };
}

/** The definition of a work stage of a task. @throws Error when there is none: a defect, or a newer database */
export function stageDefinition(name: WorkStage, own: OwnStage[]): StageDefinition {
  const builtIn = builtInStages.find((stage) => stage.name === name);
  if (builtIn !== undefined) return builtIn;
  const defined = own.find((stage) => stage.name === name);
  if (defined === undefined) throw new Error(`there is no stage "${name}"`);
  return ownStage(defined);
}

/** The definition of the stage a task is in. */
export function stageOfTask(task: Pick<Task, 'stage' | 'ownStages'>): StageDefinition {
  return stageDefinition(task.stage, task.ownStages);
}

/** What an agent of this role leaves, for its orders; the stage decides where a role works in several. */
export function productsOf(stage: WorkStage | null, role: Role, own: OwnStage[]): StageDefinition['products'] {
  const named = stage === null ? undefined : [...builtInStages, ...own.map(ownStage)].find((one) => one.name === stage);
  const byRole = builtInStages.find((one) => one.role.name === role);
  return named?.products ?? byRole?.products ?? (() => []);
}

/** Documents of a task's folder whose text some stage of its pipeline reads. */
export function documentsRead(task: Pick<Task, 'ownStages'>): ReadonlySet<string> {
  return new Set([...builtInStages, ...task.ownStages.map(ownStage)].flatMap((stage) => stage.reads));
}

/** Every hold the pipeline knows, by cause. */
export const holdKinds: ReadonlyMap<HoldCause, HoldKind> = new Map(
  [
    ...created.holds,
    ...builtInStages.flatMap((stage) => stage.holds),
    ...Object.values(holds),
    ...Object.values(ownHolds),
  ].map((kind) => [kind.cause, kind]),
);

/** @throws Error when there is no such hold */
export function holdKind(cause: HoldCause): HoldKind {
  const kind = holdKinds.get(cause);
  if (kind === undefined) throw new Error(`there is no hold "${cause}"`);
  return kind;
}

/** Every bounce the pipeline knows. */
export const bounceKinds: readonly BounceKind[] = [
  ...builtInStages.flatMap((stage) => stage.bounces),
  ...Object.values(bounces),
  stageFailed,
];

/** What people read for stages and roles, by name. */
export const stageWords: ReadonlyMap<Stage, Words> = new Map(
  [...agentless, ...builtInStages].map(({ name, words }) => [name, words]),
);
export const roleWords: ReadonlyMap<Role, Words> = new Map(builtInRoles.map(({ name, words }) => [name, words]));

/** What has to pass to leave a stage, by stage. */
export const gateNames: ReadonlyMap<Stage, string> = new Map(
  [created, ...builtInStages].map(({ name, gate }) => [name, gate]),
);

/** Every move between stages that a decision may make besides `--force`; the journal and the model tests are checked against it. */
export const edges: { from: Stage; to: Stage; name: string }[] = [
  ...created.edges.map((edge) => ({ from: created.name, ...edge })),
  ...builtInStages.flatMap((stage) => stage.edges.map((edge) => ({ from: stage.name, ...edge }))),
];
