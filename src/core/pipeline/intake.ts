import slugify from '@sindresorhus/slugify';
import type { ItemMirror, ProjectPolicy, Task, WorkStage } from '../model/index.ts';
import { isEndGroup, noCounters, noProgress, taskIdOf } from '../model/index.ts';

const slugLength = 30;

/** Branch of a task: `feature/<ID>-<slug>`, the slug transliterated and at most 30 characters (spec 4.1). */
export function branchName(taskId: string, title: string): string {
  const slug = slugify(title.slice(0, 400), { decamelize: false })
    .replace(/[^a-z0-9-]/g, '')
    .slice(0, slugLength)
    .replace(/^-+|-+$/g, '');
  return slug === '' ? `feature/${taskId}` : `feature/${taskId}-${slug}`;
}

/** Whether an item may enter by itself (spec 4.1). Never before the first contact of its project. */
export function admits(item: ItemMirror, policy: ProjectPolicy, firstNumber: number | null): boolean {
  if (firstNumber === null || !item.present) return false;
  if (isEndGroup(item.stateGroup)) return false;
  const label = policy.intake.label;
  const named = label !== null && item.labels.includes(label);
  const byNumber = label === null && item.number > firstNumber;
  if (!named && !byNumber) return false;
  const { states } = policy.intake;
  return states.length === 0 || states.some((name) => name.toLowerCase() === item.stateName.toLowerCase());
}

/** The pipeline an item takes: the first whose label it carries, else the default one (spec 3.4). */
export function pipelineOf(
  labels: string[],
  policy: ProjectPolicy,
  wanted: string | null,
): { name: string; stages: WorkStage[] } {
  const named =
    wanted ?? Object.entries(policy.pipelines).find(([, p]) => p.label !== null && labels.includes(p.label))?.[0];
  const name = named !== undefined && policy.pipelines[named] !== undefined ? named : 'default';
  return { name, stages: policy.pipelines[name]?.stages ?? [] };
}

/** Title on one line: it becomes the subject of commits, whose further lines would be their message. */
export function titleOf(name: string): string {
  return name.replace(/[\s\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}

/** The record of an item that enters. */
export function newTask(item: ItemMirror, policy: ProjectPolicy, now: number, pipeline: string | null = null): Task {
  const id = taskIdOf(policy.prefix, item.number);
  const { name, stages } = pipelineOf(item.labels, policy, pipeline);
  return {
    id,
    projectId: policy.projectId,
    itemId: item.itemId,
    number: item.number,
    title: titleOf(item.name),
    repo: policy.repo,
    branch: branchName(id, item.name),
    baseBranch: policy.baseBranch,
    pipeline: name,
    pipelineStages: stages,
    ownStages: policy.ownStages.filter((own) => stages.includes(own.name)),
    stage: 'created',
    visit: 0,
    hold: null,
    paused: false,
    phase: null,
    prNumber: null,
    mergedSha: null,
    counters: { ...noCounters },
    progress: noProgress(),
    createdAt: now,
    updatedAt: now,
    stageSince: now,
  };
}
