import { errorCodes, type ErrorCode, type Rerun } from './error-codes.ts';

interface CauseAttributes {
  rerun?: Rerun;
}

const ordinary = {} as const satisfies CauseAttributes;
const hopeless = { rerun: 'hopeless' } as const satisfies CauseAttributes;

/** Why a run ended as it did: every cause that is no error code. */
export const runCauses = {
  success: ordinary,
  cancelled: ordinary,

  // How its process ended.
  exit_status: ordinary,
  signal: ordinary,
  no_exit: ordinary,
  not_startable: ordinary,
  launch_failed: ordinary,
  agent_alive: hopeless,

  // Who stopped it.
  wall_clock: ordinary,
  idle: ordinary,
  output_limit: ordinary,
  orphan: ordinary,
  shutdown: ordinary,
  worker_stopped: ordinary,
  worker_died: ordinary,
  run_lost: ordinary,
  work_lost: ordinary,
  no_files: ordinary,
  no_room: ordinary,
  not_settled: ordinary,

  // What the agent's program said.
  no_result: ordinary,
  error_result: ordinary,
  error_during_execution: ordinary,
  resume_failed: ordinary,
  max_turns: ordinary,
  max_output_tokens: ordinary,
  budget: ordinary,
  prompt_too_long: hopeless,
  model_not_found: ordinary,
  invalid_request: ordinary,
  api_error: ordinary,
  authentication: ordinary,

  // Trouble of its service.
  rate_limit: ordinary,
  overloaded: ordinary,
  server_error: ordinary,
  network: ordinary,

  // Usage limits.
  usage_limit: ordinary,
  billing: ordinary,
  five_hour: ordinary,
  seven_day: ordinary,
  seven_day_opus: ordinary,
  seven_day_sonnet: ordinary,
  overage: ordinary,
} as const satisfies Record<string, CauseAttributes>;

/** Machine name of the finer cause of an outcome; a run that could not start has the code of the error. */
export type RunCause = keyof typeof runCauses | ErrorCode;

const reruns: ReadonlyMap<string, Rerun> = new Map(
  Object.entries({ ...errorCodes, ...runCauses }).flatMap(([cause, attributes]) =>
    'rerun' in attributes ? [[cause, attributes.rerun] as const] : [],
  ),
);

/** What another run can expect after this cause; null when nothing is known, also of a cause that another version stored. */
export function rerunAfter(cause: RunCause): Rerun | null {
  return reruns.get(cause) ?? null;
}
