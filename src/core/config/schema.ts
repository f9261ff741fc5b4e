import { z } from 'zod';
import { agentSection } from './schema/agent.ts';
import { filePath } from './schema/parts.ts';
import { giteaSection, planeSection, telegramSection, tlsSection } from './schema/peers.ts';
import { projectSection } from './schema/project.ts';
import { name, stageSection } from './schema/stage.ts';
import {
  capsSection,
  gitSection,
  pollSection,
  retentionSection,
  timeoutsSection,
  workerSection,
} from './schema/worker.ts';

/**
 * The configuration as people write it (spec 9): minutes, seconds, dollars. It only checks and fills in defaults;
 * `resolve.ts` turns it into what the program uses. Strict everywhere: an unknown key is an error.
 */
export const settingsSchema = z.strictObject({
  $schema: z.string().optional().describe('Address of the JSON Schema, for editors.'),
  plane: planeSection,
  gitea: giteaSection,
  telegram: telegramSection,
  tls: tlsSection,
  language: z.enum(['en', 'ru']).default('en').describe('Language of comments and messages to people.'),
  stateDir: filePath()
    .optional()
    .describe(
      'Folder of everything orch keeps. Default: `$STATE_DIRECTORY` under systemd, else `~/.local/state/orch`.',
    ),
  dbPath: filePath().optional().describe('The database. Default: `orch.db` in `stateDir`.'),
  reposDir: filePath().optional().describe("orch's bare copies of the repositories. Default: `repos` in `stateDir`."),
  workspacesDir: filePath().optional().describe('Folders agents work in. Default: `workspaces` in `stateDir`.'),
  runsDir: filePath().optional().describe('Folders of the runs with their logs. Default: `runs` in `stateDir`.'),
  poll: pollSection,
  worker: workerSection,
  agent: agentSection,
  git: gitSection,
  caps: capsSection,
  timeouts: timeoutsSection,
  retention: retentionSection,
  stages: z
    .record(name(), stageSection)
    .default({})
    .describe("The team's own stages by name; a pipeline of a project names them."),
  projects: z.array(projectSection).default([]).describe('The registry of projects; anything else is never touched.'),
});

export type Settings = z.output<typeof settingsSchema>;

/** A node of the generated JSON Schema, as far as orch reads it. */
export interface SchemaNode {
  type?: string | string[];
  description?: string;
  default?: unknown;
  enum?: unknown[];
  /** Used for `null` as an alternative to a constrained type only. */
  anyOf?: SchemaNode[];
  properties?: Record<string, SchemaNode>;
  required?: string[];
  additionalProperties?: boolean | SchemaNode;
  items?: SchemaNode;
}

/** JSON Schema (2020-12) of what may stand in the file, for editors and for the list of keys. */
export function settingsJsonSchema(): SchemaNode {
  const schema = z.toJSONSchema(settingsSchema, { io: 'input' }) as SchemaNode;
  return { ...{ title: 'Configuration of orch' }, ...schema };
}
