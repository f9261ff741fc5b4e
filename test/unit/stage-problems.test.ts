import { describe, expect, it } from 'vitest';
import { stageProblems } from '../../src/core/config/stage-problems.ts';
import type { Problem } from '../../src/core/config/problems.ts';
import { builtInStages, roleNames } from '../../src/core/pipeline/stages/index.ts';

const security = { role: 'security-reviewer', promptFile: 'security.md', document: '14-security.md' };
const licences = { role: 'licence-reviewer', promptFile: 'licences.md', document: '15-licences.md' };
const builtIn = builtInStages.map((stage) => stage.name).join(', ');

function inPipeline(...stages: string[]): Record<string, unknown> {
  return { pipelines: { default: { stages } } };
}

type Case = [what: string, values: Record<string, unknown>, problems: Problem[]];

const none: Problem[] = [];

const stages: Case[] = [
  ['no stages at all', {}, none],
  ['two that have nothing in common', { stages: { security, licences } }, none],
  [
    'the name of a built-in stage',
    { stages: { review: security } },
    [{ path: 'stages.review', problem: 'is the name of a built-in stage' }],
  ],
  [
    'the name of a stage in which no agent works',
    { stages: { done: security } },
    [{ path: 'stages.done', problem: 'is the name of a built-in stage' }],
  ],
  [
    'the document that a built-in stage reads',
    { stages: { security: { ...security, document: '12-review.md' } } },
    [{ path: 'stages.security.document', problem: 'is a document of a built-in stage' }],
  ],
  [
    'a document among those of the analysis',
    { stages: { security: { ...security, document: '04-security.md' } } },
    [{ path: 'stages.security.document', problem: 'is a document of a built-in stage' }],
  ],
  [
    'one document of two stages, named at the second one only',
    { stages: { b: { ...licences, document: '14-security.md' }, a: security } },
    [{ path: 'stages.b.document', problem: 'is the document of stages.a, too' }],
  ],
  [
    'a value that passes and fails, in whatever case',
    { stages: { security: { ...security, pass: ['Clean', 'PASS'], fail: ['clean', 'DIRTY'] } } },
    [{ path: 'stages.security.fail', problem: 'names Clean, which passes' }],
  ],
];

const prompts: Case[] = [
  [
    'a role of its own without a prompt',
    { stages: { security: { role: 'security-reviewer', document: '14-security.md' } } },
    [
      {
        path: 'stages.security.promptFile',
        problem: 'is required: orch has no prompt for the role security-reviewer',
      },
    ],
  ],
  [
    'a role of its own whose prompt stands under agent.roles',
    {
      stages: { security: { role: 'security-reviewer', document: '14-security.md' } },
      agent: { roles: { 'security-reviewer': { promptFile: 'security.md' } } },
    },
    none,
  ],
  [
    'a role under agent.roles without a prompt there',
    {
      stages: { security: { role: 'security-reviewer', document: '14-security.md' } },
      agent: { roles: { 'security-reviewer': { model: 'opus' } } },
    },
    [
      {
        path: 'stages.security.promptFile',
        problem: 'is required: orch has no prompt for the role security-reviewer',
      },
    ],
  ],
  [
    'one of the six roles, which has a prompt',
    { stages: { security: { role: 'reviewer', document: '14-security.md' } } },
    none,
  ],
];

const pipelines: Case[] = [
  [
    'a stage of its own after the one it fails to',
    { stages: { security }, projects: [inPipeline('development', 'security', 'deploy')] },
    none,
  ],
  [
    'a stage that nobody defines',
    { stages: { security }, projects: [inPipeline('development'), inPipeline('development', 'securty')] },
    [
      {
        path: 'projects[1].pipelines.default.stages[1]',
        problem: `"securty" is no stage: ${builtIn}, security`,
      },
    ],
  ],
  [
    'a stage before the one it fails to',
    { stages: { security }, projects: [inPipeline('security', 'development')] },
    [
      {
        path: 'projects[0].pipelines.default.stages',
        problem: 'the stage security fails to development, which does not come before it here',
      },
    ],
  ],
  [
    'a stage that fails to one the pipeline does not have',
    { stages: { security: { ...security, failTo: 'analysis' } }, projects: [inPipeline('development', 'security')] },
    [
      {
        path: 'projects[0].pipelines.default.stages',
        problem: 'the stage security fails to analysis, which does not come before it here',
      },
    ],
  ],
  [
    'a stage that fails to another one of its own',
    {
      stages: { security, licences: { ...licences, failTo: 'security' } },
      projects: [inPipeline('development', 'security', 'licences')],
    },
    none,
  ],
  ['a stage that no pipeline names', { stages: { security }, projects: [inPipeline('development')] }, none],
];

const roles: Case[] = [
  [
    'settings of a role that no stage has',
    { agent: { roles: { developper: { model: 'opus' } } } },
    [{ path: 'agent.roles.developper', problem: `is no role: ${roleNames.join(', ')}` }],
  ],
  [
    "settings of a role that no stage has, in a project's own agent",
    { stages: { security }, projects: [{}, { agent: { roles: { tester: {}, auditor: {} } } }] },
    [{ path: 'projects[1].agent.roles.auditor', problem: `is no role: ${roleNames.join(', ')}, security-reviewer` }],
  ],
  [
    "settings of a team's own role",
    { stages: { security }, agent: { roles: { 'security-reviewer': { model: 'opus' } } } },
    none,
  ],
];

// The schema has not looked at these yet: what is no stage is its business, and nothing here may fail.
const shapeless: Case[] = [
  ['stages that are a list', { stages: [security] }, none],
  ['a stage that is a text', { stages: { security: 'security-reviewer' } }, none],
  ['a stage without a role or a document', { stages: { security: {} } }, none],
  ['values that are one text', { stages: { security: { ...security, pass: 'PASS', fail: 'PASS' } } }, none],
  ['projects that are no list', { projects: { default: {} } }, none],
  ['a project that is a text', { projects: ['acme/shop'] }, none],
  ['stages of a pipeline that are a text', { projects: [{ pipelines: { default: { stages: 'review' } } }] }, none],
  ['roles that are null', { agent: { roles: null }, projects: [{ agent: null }] }, none],
];

describe.each([
  ['a stage', stages],
  ['a prompt', prompts],
  ['a pipeline', pipelines],
  ['a role', roles],
  ['a value of the wrong kind', shapeless],
])('%s', (_, cases) => {
  it.each(cases)('%s', (_what, values, problems) => {
    expect(stageProblems(values)).toEqual(problems);
  });
});

it('several mistakes are all named', () => {
  const found = stageProblems({
    stages: { testing: { role: 'nobody', document: '13-test-report.md' } },
    projects: [inPipeline('coding')],
    agent: { roles: { somebody: {} } },
  });
  expect(found.map(({ path }) => path)).toEqual([
    'stages.testing',
    'stages.testing.document',
    'stages.testing.promptFile',
    'projects[0].pipelines.default.stages[0]',
    'agent.roles.somebody',
  ]);
});
