import { OrchError } from '../../model/index.ts';
import type { ItemPhase, ItemStateGroup, Tracker } from '../../model/index.ts';

/** Group of states in which a state that is missing by its name falls back to another one (spec 4.2). */
const groupOfPhase: Record<ItemPhase, ItemStateGroup> = {
  in_progress: 'started',
  in_review: 'started',
  needs_input: 'started',
  blocked: 'started',
  done: 'completed',
  cancelled: 'cancelled',
};

/** The state that shows a phase: by its configured name, else the first of its group. @throws OrchError `plane_state_missing` */
export const stateFor: Tracker['stateFor'] = (states, phase, policy) => {
  const wanted = policy.states[phase].toLowerCase();
  const named = states.find((state) => state.name.toLowerCase() === wanted);
  const state = named ?? states.find((other) => other.group === groupOfPhase[phase]);
  if (state === undefined) {
    throw new OrchError(
      `Plane project "${policy.name}" has no state "${policy.states[phase]}" and none of the group ${groupOfPhase[phase]}`,
      {
        code: 'plane_state_missing',
        hint: 'Create the state in Plane, or name another one under `states` of the project; `orch doctor` lists what is missing.',
      },
    );
  }
  return state;
};
