import { z } from 'zod';
import { builtInStages } from '../../pipeline/stages/index.ts';
import { projectAgentSection } from './agent.ts';
import { branchName, commandLine, count, repository, time } from './parts.ts';
import { name } from './stage.ts';

const names = z.array(z.string().min(1, 'must not be empty'));
const inOrderNames = builtInStages.map((stage) => stage.name);

const pipeline = z.strictObject({
  stages: z
    .array(name())
    .min(1, 'must hold at least one stage')
    .refine(inOrder, `must name each stage once, in the order ${inOrderNames.join(', ')}`)
    .describe(`Stages of the pipeline, in their order: ${inOrderNames.join(', ')}, and any of \`stages\`.`),
  label: z.string().min(1).optional().describe('Label of a work item that chooses this pipeline.'),
});

/** Built-in stages keep their order; the team's own may stand anywhere among them, once each. */
function inOrder(stages: string[]): boolean {
  const places = stages.map((stage) => inOrderNames.indexOf(stage)).filter((place) => place >= 0);
  return new Set(stages).size === stages.length && places.every((place, i) => i === 0 || place > (places[i - 1] ?? -1));
}

const stateName = (standard: string) => z.string().min(1, 'must not be empty').default(standard);

const states = z
  .strictObject({
    inProgress: stateName('In Progress').describe('An agent works, or a machine is waited for.'),
    inReview: stateName('In Review').describe('An approval or a review by a person is waited for.'),
    needsInput: stateName('Needs Input').describe('Questions to people.'),
    blocked: stateName('Blocked').describe('The intake was refused, or the task is held.'),
    done: stateName('Done').describe('Finished.'),
    cancelled: stateName('Cancelled').describe('Cancelled.'),
  })
  .prefault({})
  .describe('Names of the Plane states orch sets.');

const projectCaps = z
  .strictObject({
    runs: z.int().min(1).max(10_000).optional().describe('Instead of `caps.runs`.'),
    dollars: z.number().positive().max(1_000_000).nullable().optional().describe('Instead of `caps.dollars`.'),
    developerReruns: z.int().min(0).max(1000).optional().describe('Instead of `caps.developerReruns`.'),
    questionRounds: z.int().min(0).max(1000).optional().describe('Instead of `caps.questionRounds`.'),
    rejections: z.int().min(0).max(1000).optional().describe('Instead of `caps.rejections`.'),
    conflictRounds: z.int().min(0).max(1000).optional().describe('Instead of `caps.conflictRounds`.'),
  })
  .prefault({})
  .describe("The project's own caps.");

const gates = z
  .strictObject({
    development: z
      .enum(['ci-green', 'tests-local'])
      .default('ci-green')
      .describe("What proves the developer's work: the server's CI, or the project's tests run by the worker."),
    review: z
      .array(z.enum(['reviewer-verdict', 'pr-approved']))
      .min(1, 'must name at least one gate')
      .default(['reviewer-verdict'])
      .describe("What ends the review: the reviewer's verdict, a person's approval of the pull request, or both."),
  })
  .prefault({})
  .describe('Which gates are asked.');

const ci = z
  .strictObject({
    requiredContexts: names
      .default([])
      .describe('CI contexts that must be green, names or patterns such as `ci / *`; empty: all that reported.'),
    graceMinutes: time(10, 0, 10_080).describe('After this long without any report the hold says that no CI reported.'),
    limitMinutes: time(60, 0.1, 10_080).describe('After this long without a result the task is held.'),
  })
  .prefault({})
  .describe('Continuous integration.');

const tests = z
  .strictObject({
    command: commandLine().default(['make', 'test']).describe("The project's test command under `tests-local`."),
    timeoutSeconds: time(600, 1, 86_400).describe('Its time limit.'),
    caches: z
      .array(z.string().trim().min(1))
      .default([])
      .describe(
        'What a later test of the same task finds again, as lines of a `.gitignore`, such as `node_modules/`. All else is a clean checkout.',
      ),
  })
  .prefault({})
  .describe('Local tests.');

const deploy = z
  .strictObject({
    merge: z
      .enum(['orch', 'agent'])
      .default('orch')
      .describe('Who merges: orch before the deployer runs, or the deployer itself.'),
    mergeStyle: z
      .enum(['merge', 'rebase', 'rebase-merge', 'squash', 'fast-forward-only'])
      .default('merge')
      .describe('How orch merges.'),
  })
  .prefault({})
  .describe('The merge.');

const intake = z
  .strictObject({
    label: z.string().min(1).optional().describe('Items carrying this label enter, whatever their number.'),
    states: names.default([]).describe('Only items in these Plane states enter; empty: in any.'),
  })
  .prefault({})
  .describe('Which work items enter.');

export const projectSection = z
  .strictObject({
    planeProject: z.guid('must be the id (UUID) of a Plane project').describe('Id of the Plane project.'),
    repo: repository().describe('Repository on the git server, `owner/name`.'),
    prefix: z
      .string()
      .regex(/^[A-Z][A-Z0-9]{0,11}$/, 'must be 1 to 12 capital letters or digits, a letter first')
      .describe('Prefix of task ids, such as `ET` in `ET-012`.'),
    name: z.string().min(1).max(200).optional().describe('Name in messages. Default: the repository.'),
    baseBranch: branchName().default('main').describe('Branch that work starts from and is merged into.'),
    approvers: names
      .default([])
      .describe(
        'Plane user ids or e-mail addresses of people who may approve; empty: every member of the project with the role Member or higher (in the workspace, where Plane reports no other).',
      ),
    intake,
    pipelines: z
      .record(z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be lower-case letters, digits and dashes'), pipeline)
      .default({})
      .describe('Further pipelines by name; `default` replaces the one with all six stages.'),
    gates,
    ci,
    tests,
    deploy,
    pullRequest: z
      .strictObject({ labels: names.default([]).describe('Labels of the pull requests orch opens.') })
      .prefault({})
      .describe('Pull requests.'),
    states,
    caps: projectCaps,
    recheckMinutes: count(1, 1, 10_080).describe('How often a gate that could not see looks again.'),
    agent: projectAgentSection,
  })
  .describe('A Plane project and the repository it maps to.');

export type ProjectSection = z.output<typeof projectSection>;
