import path from 'node:path';
import type { AgentSettings, ProjectPolicy, Role } from '../model/index.ts';
import { roleFacts } from '../pipeline/stages/index.ts';
import { homeFolder } from '../platform/files.ts';
import type { Settings } from './schema.ts';
import type { RoleSection } from './schema/agent.ts';
import type { ProjectSection } from './schema/project.ts';
import { minutesInMs, secondsInMs } from './times.ts';

/** Claude's tools of a role for which none are configured. */
export const defaultTools = ['Read', 'Write', 'Edit', 'Bash'];

function sectionOf(settings: Settings, project: ProjectPolicy | null): ProjectSection | null {
  return settings.projects.find((p) => p.planeProject.toLowerCase() === project?.projectId) ?? null;
}

/** A path from the configuration made absolute: `~` is the home folder, anything relative starts at `base`. */
export function absolutePath(file: string, base: string, env: NodeJS.ProcessEnv): string {
  const home = homeFolder(env);
  if (file === '~' || file.startsWith('~/')) return path.join(home, file.slice(1));
  return path.resolve(base, file);
}

/** First value that is set, from the most particular place to the most general. */
function first<K extends keyof RoleSection>(key: K, sections: (Partial<RoleSection> | undefined)[]): RoleSection[K] {
  return sections.find((section) => section?.[key] !== undefined)?.[key] as RoleSection[K];
}

type Level = Pick<RoleSection, 'command' | 'kind'> | undefined;

/**
 * Command and its kind. A kind counts for the command of its own level or of a more general one, so that `agent.kind`
 * does not describe another program a role names; without one the program's name decides.
 */
function commandOf(levels: Level[], defaultCommand: string[]): Pick<AgentSettings, 'command' | 'kind'> {
  const at = levels.findIndex((level) => level?.command !== undefined);
  const command = levels[at]?.command ?? defaultCommand;
  const kind = levels.slice(0, at + 1).find((level) => level?.kind !== undefined)?.kind;
  return { command, kind: kind ?? (/^claude\b/.test(path.basename(command[0] ?? '')) ? 'claude' : 'other') };
}

/**
 * Settings of a role: the project's own for the role, those of the role, the project's for all roles, those of all
 * roles, built-in ones. Lists of variable names are added up, everything else is replaced.
 * @param absolute makes a configured path absolute
 */
export function roleSettingsOf(
  settings: Settings,
  role: Role,
  project: ProjectPolicy | null,
  absolute: (file: string) => string,
): AgentSettings {
  const { agent } = settings;
  const own = sectionOf(settings, project)?.agent;
  const sections = [own?.roles[role], agent.roles[role]];
  const builtIn = roleFacts(role);
  const timeoutMinutes =
    first('timeoutMinutes', sections) ?? own?.timeoutMinutes ?? builtIn.timeoutMinutes ?? agent.timeoutMinutes;
  const names = [agent.env, agent.roles[role]?.env, own?.env, own?.roles[role]?.env].flatMap((list) => list ?? []);
  return {
    ...commandOf([...sections, own, agent], agent.command),
    model: first('model', sections) ?? builtIn.model,
    allowedTools: first('allowedTools', sections) ?? defaultTools,
    timeoutMs: minutesInMs(timeoutMinutes),
    idleMs: minutesInMs(first('idleMinutes', sections) ?? own?.idleMinutes ?? agent.idleMinutes),
    graceMs: secondsInMs(first('graceSeconds', sections) ?? own?.graceSeconds ?? agent.graceSeconds),
    env: [...new Set(names)],
    gitConfig: { ...agent.gitConfig, ...own?.gitConfig },
    readPaths: (first('readPaths', sections) ?? []).map(absolute),
    writePaths: (first('writePaths', sections) ?? []).map(absolute),
    commitPaths: first('commitPaths', sections) ?? null,
    sandbox: own?.sandbox ?? agent.sandbox,
    protectedPaths: own?.protectedPaths ?? agent.protectedPaths,
  };
}

/** The configured prompt of a role, as an absolute path; null: the one orch ships. */
export function promptFileOf(
  settings: Settings,
  role: Role,
  project: ProjectPolicy | null,
  absolute: (file: string) => string,
): string | null {
  const stage = Object.values(settings.stages).find((own) => own.role === role);
  const file =
    first('promptFile', [sectionOf(settings, project)?.agent.roles[role], settings.agent.roles[role]]) ??
    stage?.promptFile;
  return file === undefined ? null : absolute(file);
}
