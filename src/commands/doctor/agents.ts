import { existsSync } from 'node:fs';
import type { ProjectPolicy, Role } from '../../core/model/index.ts';
import { roleNames } from '../../core/pipeline/stages/index.ts';
import { probeSandbox } from '../../core/launcher/sandbox.ts';
import { bad, check, good, together, warning, type Finding, type Subject } from './finding.ts';

/** One agent command and who uses it. */
interface Crew {
  program: string;
  kind: string;
  role: Role;
  project: ProjectPolicy | null;
  roles: Set<Role>;
  /** Prefixes of the projects. */
  prefixes: Set<string>;
}

/** Commands, login, sandbox and what the agents are given. */
export function agents(subject: Subject): Promise<Finding[]> {
  const crews = crewsOf(subject);
  return together([
    ...crews.map((crew) => check(nameOf(crew, crews), () => command(subject, crew, nameOf(crew, crews)))),
    check('login', () => login(subject, crews)),
    check('sandbox', () => sandbox(subject)),
    check('prompts', () => Promise.resolve(prompts(subject))),
    check('variables', () => Promise.resolve(variables(subject))),
  ]);
}

function places({ config }: Subject): (ProjectPolicy | null)[] {
  return config.projects.length === 0 ? [null] : config.projects;
}

/** Each distinct command once: asking the same program six times says nothing more. */
function crewsOf(subject: Subject): Crew[] {
  const crews = new Map<string, Crew>();
  for (const project of places(subject)) {
    for (const role of roleNames) {
      const { command, kind, sandbox: mode } = subject.config.agent.roleSettings(role, project);
      const key = JSON.stringify([command, kind, mode]);
      const program = command[0] ?? '';
      const crew = crews.get(key) ?? { program, kind, role, project, roles: new Set(), prefixes: new Set() };
      crew.roles.add(role);
      if (project !== null) crew.prefixes.add(project.prefix);
      crews.set(key, crew);
    }
  }
  return [...crews.values()];
}

function nameOf(crew: Crew, all: Crew[]): string {
  if (all.length === 1) return 'agent';
  const roles = [...crew.roles].join(', ');
  // The same roles of two projects are told apart by the projects.
  const alike = all.some((other) => other !== crew && [...other.roles].join(', ') === roles);
  return `agent (${alike ? `${[...crew.prefixes].join(', ')}: ` : ''}${roles})`;
}

async function command({ parts }: Subject, crew: Crew, name: string): Promise<Finding> {
  const answer = await parts.launcher.preflight(crew.role, crew.project?.projectId ?? null);
  if (answer.ok) return good(name, `${crew.program}: ${answer.version}`);
  return bad(
    name,
    `${crew.program} does not start: ${answer.reason}`,
    'Install it for this user, or set agent.command to the path of the program.',
  );
}

async function login({ parts }: Subject, crews: Crew[]): Promise<Finding[]> {
  const crew = crews.find(({ kind }) => kind === 'claude');
  // A program that does not start says nothing about a login; that it does not start is reported already.
  if (crew === undefined || !(await parts.launcher.preflight(crew.role, crew.project?.projectId ?? null)).ok) return [];
  const answer = await parts.launcher.loggedIn();
  if (answer === true) return [good('login', 'the agent is logged in')];
  if (answer === null)
    return [warning('login', 'could not be asked', 'Run `claude auth status` as the user orch runs as.')];
  return [
    bad(
      'login',
      'the agent is not logged in',
      'Run `claude auth login` as the user orch runs as, or name its key in agent.env.',
    ),
  ];
}

async function sandbox(subject: Subject): Promise<Finding> {
  const modes = new Set(
    places(subject).flatMap((project) =>
      roleNames.map((role) => subject.config.agent.roleSettings(role, project).sandbox),
    ),
  );
  const open = "agents can read everything this user can, orch's tokens and database included";
  if (!modes.has('auto') && !modes.has('bwrap'))
    return warning('sandbox', `is switched off: ${open}`, 'Set agent.sandbox to "auto".');
  const trouble = await probeSandbox(subject.env);
  if (trouble === null) {
    if (!modes.has('none')) return good('sandbox', 'bubblewrap works');
    return warning('sandbox', `is switched off for some roles: ${open}`, 'Remove "none" where it is not needed.');
  }
  const advice = 'Install bubblewrap and allow unprivileged user namespaces.';
  if (modes.has('bwrap')) return bad('sandbox', `is required and does not work: ${trouble}`, advice);
  return warning('sandbox', `does not work (${trouble}): ${open}`, advice);
}

/** Prompts named in the configuration; those of a project's own repository are read when a run begins. */
function prompts(subject: Subject): Finding[] {
  const named = places(subject).flatMap((project) =>
    roleNames.map((role) => subject.config.agent.promptFile(role, project)).filter((file) => file !== null),
  );
  return [...new Set(named)]
    .filter((file) => !existsSync(file))
    .map((file) => bad('prompts', `${file} does not exist`, 'Correct promptFile of the role.'));
}

function variables(subject: Subject): Finding[] {
  const names = places(subject).flatMap((project) =>
    roleNames.flatMap((role) => subject.config.agent.roleSettings(role, project).env),
  );
  const missing = [...new Set(names)].filter((name) => (subject.env[name] ?? '') === '');
  if (missing.length === 0) return [];
  return [
    warning(
      'variables',
      `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} passed to agents but not set here`,
      'Set what the services have, or take the name out of agent.env.',
    ),
  ];
}
