import type { OwnStage, ProjectId, ProjectPolicy, RepoSlug, WorkStage } from '../model/index.ts';
import { defaultPipeline } from '../pipeline/stages/index.ts';
import type { Problem } from './problems.ts';
import type { Settings } from './schema.ts';
import type { ProjectSection } from './schema/project.ts';
import { stageProblems } from './stage-problems.ts';
import { minutesInMs, secondsInMs } from './times.ts';

/** Costs are counted in millionths of a dollar, so that sums are exact. */
const micros = 1_000_000;

function pipelinesOf(project: ProjectSection): ProjectPolicy['pipelines'] {
  const named = Object.entries(project.pipelines).map(([name, pipeline]) => {
    return [name, { stages: pipeline.stages, label: pipeline.label ?? null }] as const;
  });
  const standard: { stages: WorkStage[]; label: string | null } = { stages: [...defaultPipeline], label: null };
  return { default: standard, ...Object.fromEntries(named) };
}

/** The team's own stages that the project's pipelines name. */
function ownStagesOf(settings: Settings, pipelines: ProjectPolicy['pipelines']): OwnStage[] {
  const named = new Set(Object.values(pipelines).flatMap((pipeline) => pipeline.stages));
  return Object.entries(settings.stages)
    .filter(([name]) => named.has(name))
    .map(([name, { promptFile: _promptFile, label, roleLabel, ...stage }]) => ({
      ...stage,
      name,
      pass: stage.pass.map((value) => value.toUpperCase()),
      fail: stage.fail.map((value) => value.toUpperCase()),
      label: label ?? name.replaceAll('-', ' '),
      roleLabel: roleLabel ?? stage.role.replaceAll('-', ' '),
    }));
}

function capsOf(settings: Settings, project: ProjectSection): ProjectPolicy['caps'] {
  const own = project.caps;
  const dollars = own.dollars === undefined ? settings.caps.dollars : own.dollars;
  return {
    developerReruns: own.developerReruns ?? settings.caps.developerReruns,
    questionRounds: own.questionRounds ?? settings.caps.questionRounds,
    rejections: own.rejections ?? settings.caps.rejections,
    conflictRounds: own.conflictRounds ?? settings.caps.conflictRounds,
    runs: own.runs ?? settings.caps.runs,
    costMicros: dollars === null ? null : Math.round(dollars * micros),
  };
}

function policyOf(settings: Settings, project: ProjectSection, postsVerdict: boolean): ProjectPolicy {
  const { states } = project;
  const pipelines = pipelinesOf(project);
  return {
    projectId: project.planeProject.toLowerCase() as ProjectId,
    // Checked by the schema, with the pattern of parseRepoSlug.
    repo: project.repo as RepoSlug,
    prefix: project.prefix,
    name: project.name ?? project.repo,
    baseBranch: project.baseBranch,
    approvers: project.approvers,
    intake: { label: project.intake.label ?? null, states: project.intake.states },
    pipelines,
    ownStages: ownStagesOf(settings, pipelines),
    gates: project.gates,
    ci: {
      requiredContexts: project.ci.requiredContexts,
      graceMs: minutesInMs(project.ci.graceMinutes),
      limitMs: minutesInMs(project.ci.limitMinutes),
    },
    tests: {
      command: project.tests.command,
      timeoutMs: secondsInMs(project.tests.timeoutSeconds),
      caches: project.tests.caches,
    },
    deploy: project.deploy,
    pullRequest: project.pullRequest,
    states: {
      in_progress: states.inProgress,
      in_review: states.inReview,
      needs_input: states.needsInput,
      blocked: states.blocked,
      done: states.done,
      cancelled: states.cancelled,
    },
    caps: capsOf(settings, project),
    budgets: {
      attempts: settings.worker.attempts,
      transientRetries: settings.worker.transientRetries,
      interruptions: settings.worker.interruptions,
    },
    postsVerdict,
    recheckMs: minutesInMs(project.recheckMinutes),
  };
}

/** Everything the decisions need to know of each project. `postsVerdict`: whether the reviewer's account is at hand. */
export function policiesOf(settings: Settings, postsVerdict: boolean): ProjectPolicy[] {
  return settings.projects.map((project) => policyOf(settings, project, postsVerdict));
}

function duplicates(list: readonly unknown[], key: 'prefix' | 'planeProject'): Problem[] {
  const seen = new Map<string, number>();
  return list.flatMap((entry, index) => {
    const value = (entry as Record<string, unknown> | null)?.[key];
    if (typeof value !== 'string') return [];
    const same = seen.get(value.toLowerCase());
    if (same === undefined) {
      seen.set(value.toLowerCase(), index);
      return [];
    }
    return [{ path: `projects[${index}].${key}`, problem: `is the same as projects[${same}].${key}` }];
  });
}

/**
 * Mistakes that no single key shows: two projects with one prefix or one Plane project, a workspace that is missing.
 * Works on values that the schema has not passed, so that these are reported together with everything else.
 */
export function crossProblems(values: Record<string, unknown>): Problem[] {
  const list = Array.isArray(values['projects']) ? (values['projects'] as unknown[]) : [];
  const workspace = (values['plane'] as Record<string, unknown> | undefined)?.['workspace'] ?? '';
  const missing = list.length > 0 && workspace === '';
  return [
    ...(missing ? [{ path: 'plane.workspace', problem: 'is required as soon as a project is configured' }] : []),
    ...duplicates(list, 'prefix'),
    ...duplicates(list, 'planeProject'),
    ...stageProblems(values),
  ];
}
