import {
  itemPhases,
  type Person,
  type ItemState,
  type ProjectFacts,
  type ProjectPolicy,
  type Tracker,
} from '../../core/model/index.ts';
import { mayApprove } from '../../core/engine/project-facts.ts';
import { bad, check, good, together, warning, type Finding, type Subject } from './finding.ts';
import { clockSkew } from './skew.ts';

/** The server and the account; `bad` here makes the project's checks pointless. */
export async function planeServer(subject: Subject): Promise<Finding[]> {
  const { tracker } = subject.parts;
  return together([
    check('account', async () => good('account', (await tracker.me()).name)),
    check('version', async () => {
      const version = await tracker.version();
      return version === null ? [] : good('version', version);
    }),
    clockSkew('Plane', `${subject.config.plane.url}/api/instances/`, subject),
  ]);
}

/** One project: itself, its states, who may approve, and what the intake is restricted to. */
export function planeProject(subject: Subject, policy: ProjectPolicy): Promise<Finding[]> {
  const { tracker } = subject.parts;
  const id = policy.projectId;
  return together([
    check('Plane project', async () => {
      const project = await tracker.project(id);
      const text = `${project.name} (${project.identifier})`;
      if (!project.archived) return good('Plane project', text);
      return bad('Plane project', `${text} is archived`, 'Restore it in Plane, or take it out of the configuration.');
    }),
    check('states', async () => states(tracker, await tracker.states(id), policy)),
    check('approvers', async () => approvers(await tracker.members(id), policy, (await tracker.me()).id)),
    check('intake', async () => {
      const { label } = policy.intake;
      if (label === null || (await tracker.labels(id)).some((other) => other.name === label)) return [];
      return warning('intake', `there is no label "${label}"`, 'Create it in Plane, or correct intake.label.');
    }),
  ]);
}

function states(tracker: Tracker, found: ItemState[], policy: ProjectPolicy): Finding[] {
  const has = (name: string): boolean => found.some((state) => state.name.toLowerCase() === name.toLowerCase());
  const findings = itemPhases
    .filter((phase) => !has(policy.states[phase]))
    .map((phase) => {
      const wanted = policy.states[phase];
      const create = 'Run `orch init --create-states`, or name another one under states of the project.';
      try {
        const { name } = tracker.stateFor(found, phase, policy);
        return warning('states', `there is no state "${wanted}"; "${name}" is used instead`, create);
      } catch {
        return bad('states', `there is no state "${wanted}" and none that could stand for it`, create);
      }
    });
  for (const name of policy.intake.states.filter((wanted) => !has(wanted)))
    findings.push(warning('intake', `there is no state "${name}"`, 'Correct intake.states of the project.'));
  return findings.length > 0 ? findings : [good('states', 'all are there')];
}

/** Without a list the roles decide, which orch's account may not see everywhere (spec 4.3). */
function approvers(members: Person[], policy: ProjectPolicy, own: string): Finding[] {
  const name = 'approvers';
  const facts: ProjectFacts = { at: 0, states: [], labels: {}, members };
  const people = members.filter((member) => mayApprove(member.id, policy, facts));
  const list = 'List people by e-mail address or Plane user id under approvers of the project.';
  const unknown = policy.approvers.filter(
    (wanted) =>
      !members.some((member) =>
        [member.id, member.email].some((known) => known.toLowerCase() === wanted.toLowerCase()),
      ),
  );
  const findings = unknown.map((wanted) =>
    warning(
      name,
      `${wanted} is no member of the project that this token can see`,
      'Add them in Plane, or list their user id.',
    ),
  );
  if (people.some((member) => member.id === own))
    findings.push(
      warning(
        name,
        "orch's own account is one of them, and its comments never count",
        'Give orch an account of its own.',
      ),
    );
  const others = people.filter((member) => member.id !== own);
  if (others.length > 0) findings.unshift(good(name, others.map((member) => member.displayName).join(', ')));
  else findings.unshift(bad(name, 'nobody could approve: no task would leave the analysis', list));
  return findings;
}
