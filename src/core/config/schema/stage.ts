import { z } from 'zod';
import { ownStageNeeds } from '../../model/index.ts';
import { count, filePath } from './parts.ts';

/** Name of a stage or role: what git, a folder and a front matter take without quoting. */
export function name() {
  return z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be up to 40 lower-case letters, digits and dashes, a letter first');
}

const value = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,39}$/, 'must be up to 40 letters, digits, underscores and dashes, a letter first');

const label = z.string().min(1).max(60);

export const stageSection = z
  .strictObject({
    role: name().describe("Who works in it: a role of the team's own, or one of the six."),
    promptFile: filePath()
      .optional()
      .describe('Prompt of the role. Required for a role that is none of the six, unless `agent.roles` names one.'),
    document: z
      .string()
      .regex(/^\d{2}-[a-z0-9][a-z0-9-]{0,59}\.md$/, 'must be a name such as 14-security.md')
      .describe("The document the agent writes, below the task's document folder."),
    key: z
      .string()
      .regex(/^[a-z][a-z0-9_-]{0,39}$/, 'must be a key of lower-case letters, such as result')
      .default('result')
      .describe("Key of the document's front matter that the gate reads."),
    pass: z.array(value).min(1, 'must name at least one value').default(['PASS']).describe('Values that pass.'),
    fail: z.array(value).min(1, 'must name at least one value').default(['FAIL']).describe('Values that fail.'),
    failTo: name().default('development').describe('Stage that a fail goes back to.'),
    maxFails: count(3, 1, 1000).describe('How often a fail goes back before the task is held.'),
    needs: z
      .array(z.enum(ownStageNeeds))
      .default([])
      .describe(
        'What must hold besides the document: `ci`: the code is green; `reviews`: a person approved the pull request.',
      ),
    label: label.optional().describe('What people read. Default: the name with spaces.'),
    roleLabel: label.optional().describe('What people read of its role. Default: the name with spaces.'),
  })
  .describe("A stage of the team's own.");
