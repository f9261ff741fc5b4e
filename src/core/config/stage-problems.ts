import { builtInStages, roleNames, stageNames } from '../pipeline/stages/index.ts';
import type { Problem } from './problems.ts';

type Entry = Record<string, unknown>;

function entriesOf(value: unknown): [string, Entry][] {
  if (!isEntry(value)) return [];
  return Object.entries(value).filter((entry): entry is [string, Entry] => isEntry(entry[1]));
}

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

/**
 * Mistakes about the team's own stages that no single key shows: names that are taken, pipelines that name what is not
 * there, a fail that leads nowhere. Works on values that the schema has not passed, so that these are reported together
 * with everything else.
 */
export function stageProblems(values: Entry): Problem[] {
  const own = entriesOf(values['stages']);
  const projects = Array.isArray(values['projects']) ? values['projects'].filter(isEntry) : [];
  return [
    ...own.flatMap(([name, stage]) => problemsOfStage(name, stage, own, values)),
    ...projects.flatMap((project, at) => problemsOfProject(`projects[${at}]`, project, own)),
    ...unknownRoles(values, projects, own),
  ];
}

function problemsOfStage(name: string, stage: Entry, own: [string, Entry][], values: Entry): Problem[] {
  const path = `stages.${name}`;
  const problems: Problem[] = [];
  if (stageNames.includes(name)) problems.push({ path, problem: 'is the name of a built-in stage' });
  const { role, document } = stage;
  const reads = builtInStages.flatMap((one) => one.reads);
  const taken = typeof document === 'string' && (reads.includes(document) || /^0[0-4]-/.test(document));
  if (taken) problems.push({ path: `${path}.document`, problem: 'is a document of a built-in stage' });
  const twin = own.find(([other, one]) => other !== name && one['document'] === document);
  if (twin !== undefined && typeof document === 'string' && twin[0] < name)
    problems.push({ path: `${path}.document`, problem: `is the document of stages.${twin[0]}, too` });
  const both = textsOf(stage['pass']).filter((value) =>
    textsOf(stage['fail']).some((other) => other.toUpperCase() === value.toUpperCase()),
  );
  if (both.length > 0) problems.push({ path: `${path}.fail`, problem: `names ${both.join(', ')}, which passes` });
  if (typeof role === 'string' && !roleNames.includes(role) && !hasPrompt(role, stage, values))
    problems.push({ path: `${path}.promptFile`, problem: `is required: orch has no prompt for the role ${role}` });
  return problems;
}

function hasPrompt(role: string, stage: Entry, values: Entry): boolean {
  const agent = isEntry(values['agent']) ? values['agent'] : {};
  const settings = isEntry(agent['roles']) ? agent['roles'][role] : undefined;
  return stage['promptFile'] !== undefined || (isEntry(settings) && settings['promptFile'] !== undefined);
}

function problemsOfProject(path: string, project: Entry, own: [string, Entry][]): Problem[] {
  const known = [...builtInStages.map((stage) => stage.name), ...own.map(([name]) => name)];
  return entriesOf(project['pipelines']).flatMap(([name, pipeline]) => {
    const stages = textsOf(pipeline['stages']);
    const unknown = stages.flatMap((stage, at) =>
      known.includes(stage)
        ? []
        : [{ path: `${path}.pipelines.${name}.stages[${at}]`, problem: `"${stage}" is no stage: ${known.join(', ')}` }],
    );
    const astray = own.flatMap(([stage, { failTo = 'development' }]) => {
      const at = stages.indexOf(stage);
      if (at < 0 || stages.slice(0, at).includes(String(failTo))) return [];
      const problem = `the stage ${stage} fails to ${String(failTo)}, which does not come before it here`;
      return [{ path: `${path}.pipelines.${name}.stages`, problem }];
    });
    return [...unknown, ...astray];
  });
}

/** A misspelled role in `agent.roles` would be settings for nobody. */
function unknownRoles(values: Entry, projects: Entry[], own: [string, Entry][]): Problem[] {
  const known = [...roleNames, ...own.map(([, stage]) => stage['role'])];
  const places: [string, unknown][] = [
    ['agent', values['agent']],
    ...projects.map((project, at): [string, unknown] => [`projects[${at}].agent`, project['agent']]),
  ];
  return places.flatMap(([path, agent]) =>
    entriesOf(isEntry(agent) ? agent['roles'] : undefined)
      .filter(([role]) => !known.includes(role))
      .map(([role]) => ({ path: `${path}.roles.${role}`, problem: `is no role: ${known.join(', ')}` })),
  );
}
