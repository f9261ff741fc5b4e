import { z } from 'zod';
import { roleNames } from '../../pipeline/stages/index.ts';
import { count, commandLine, filePath, gitSettings, repositoryPaths, time, variableNames } from './parts.ts';

const kind = z.enum(['claude', 'other']);
const sandbox = z.enum(['auto', 'bwrap', 'none']);
const minutes = z.number().min(0.01).max(10_080);
const graceSeconds = z.number().min(0).max(3600);

const roleSection = z
  .strictObject({
    command: commandLine().optional().describe("The role's own program and arguments instead of `agent.command`."),
    kind: kind.optional().describe("The role's own `agent.kind`."),
    model: z
      .string()
      .regex(/^[A-Za-z0-9][\w.:[\]/-]*$/, 'must be the name of a model')
      .optional()
      .describe("Model of the role. Default: `opus` for architect and reviewer, the command's own otherwise."),
    timeoutMinutes: minutes
      .optional()
      .describe('Time limit of one run. Default: `agent.timeoutMinutes`, 45 for the tester.'),
    idleMinutes: minutes.optional().describe('Longest silence of a streaming agent. Default: `agent.idleMinutes`.'),
    graceSeconds: graceSeconds.optional().describe('Default: `agent.graceSeconds`.'),
    allowedTools: z
      .array(z.string().regex(/^[A-Za-z][^,\p{Cc}]*$/u, 'must be the name of a tool'))
      .optional()
      .describe('Tools the agent may use. Default: Read, Write, Edit, Bash.'),
    commitPaths: repositoryPaths()
      .optional()
      .describe(
        "What of its work is committed: folders, files, `**` for everything but `protectedPaths`, `{task}` for the task id. Default: the task's own folder, everything for the developer. Never: the folder of another task, and what a person approves but for the analyst.",
      ),
    env: variableNames().optional().describe('Names of variables passed to this role, in addition to `agent.env`.'),
    readPaths: z
      .array(filePath())
      .optional()
      .describe('Further paths the role may read in the sandbox, such as a deploy key.'),
    writePaths: z.array(filePath()).optional().describe('Further paths the role may write in the sandbox.'),
    promptFile: filePath()
      .optional()
      .describe(
        "Prompt used instead of orch's own, where the repository has none in `.openclaw/agents/<PREFIX>/<role>.md` or `.openclaw/agents/<role>.md`.",
      ),
  })
  .optional();

export type RoleSection = NonNullable<z.output<typeof roleSection>>;

/** The built-in roles by name, and whatever roles the team's own stages have. */
const rolesSection = z
  .object(Object.fromEntries(roleNames.map((role) => [role, roleSection.describe(`Settings of the ${role}.`)])))
  .catchall(roleSection)
  .prefault({});

/** What would give orders to the next agent (spec 7). */
export const defaultProtectedPaths = ['.openclaw/', '.claude/', '.mcp.json'];

export const agentSection = z
  .strictObject({
    command: commandLine()
      .default(['claude'])
      .describe('Program and first arguments of the agent. A path that is found in PATH or absolute.'),
    kind: kind
      .optional()
      .describe(
        "`claude`: the Claude Code CLI, its flags are added; `other`: any other program, placeholders are filled in. Default: by the program's name.",
      ),
    sandbox: sandbox
      .default('auto')
      .describe(
        '`bwrap`: bubblewrap or nothing; `auto`: bubblewrap where it works, else a warning; `none`: no sandbox.',
      ),
    env: variableNames().default([]).describe('Names of variables passed through to every role.'),
    gitConfig: gitSettings()
      .default({})
      .describe(
        "Settings of the agent's git, by name (`core.longpaths`), in addition to orch's own: identity, no conversions, no signatures. The service user's `~/.gitconfig` is not read.",
      ),
    timeoutMinutes: time(30, 0.01, 10_080).describe('Time limit of one run.'),
    idleMinutes: time(15, 0.01, 10_080).describe('Longest silence of a streaming agent before it is stopped.'),
    graceSeconds: time(30, 0, 3600).describe('How long the process may go on after its result.'),
    protectedPaths: repositoryPaths()
      .default(defaultProtectedPaths)
      .describe('What no agent may change, the developer included.'),
    preflightCacheSeconds: time(45, 0, 86_400).describe(
      'How long the answer of `--version` before claiming is believed.',
    ),
    breakerThreshold: count(3, 1, 1000).describe('Transient failures in a row that close the intake of all workers.'),
    breakerPauseSeconds: time(300, 0, 86_400).describe('How long it stays closed before one probe.'),
    roles: rolesSection.describe('Settings per role.'),
  })
  .prefault({})
  .describe('The agents.');

/** What a project may say differently about its agents. */
export const projectAgentSection = z
  .strictObject({
    command: commandLine().optional().describe('Instead of `agent.command`.'),
    kind: kind.optional().describe('Instead of `agent.kind`.'),
    sandbox: sandbox.optional().describe('Instead of `agent.sandbox`.'),
    env: variableNames().optional().describe('Names of variables passed through, in addition to `agent.env`.'),
    gitConfig: gitSettings().optional().describe('Laid over `agent.gitConfig`.'),
    timeoutMinutes: minutes.optional().describe('Instead of `agent.timeoutMinutes`.'),
    idleMinutes: minutes.optional().describe('Instead of `agent.idleMinutes`.'),
    graceSeconds: graceSeconds.optional().describe('Instead of `agent.graceSeconds`.'),
    protectedPaths: repositoryPaths().optional().describe('Instead of `agent.protectedPaths`.'),
    roles: rolesSection.describe('Settings per role, each before those of `agent.roles`.'),
  })
  .prefault({})
  .describe("The project's own settings of the agents.");
