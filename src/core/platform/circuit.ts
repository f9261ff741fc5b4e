import { OrchError } from '../model/index.ts';
import type { Clock } from './clock.ts';
import { backoffMs, retryPolicies } from './retry.ts';

/**
 * Circuit breakers by place, such as one repository's reads: after a failure that costs time or that the server asked to
 * get no calls for, further calls fail at once with the same error, so that one place in trouble holds up neither a tick
 * nor the other places.
 */
export interface Circuits {
  /** Runs the work, or fails with what the place failed with last, `retryAfterMs` saying when it is asked again. */
  through<T>(place: string, work: () => Promise<T>): Promise<T>;
  /** Opens the circuit of a place: for failures that come as an ordinary answer. */
  open(place: string, error: OrchError): void;
}

interface Broken {
  failures: number;
  since: number;
  ms: number;
  error: OrchError;
}

/** A place that could not be reached gets no calls for a while, since every such call costs its whole time limit, or the server's patience. */
export function createCircuits(clock: Clock): Circuits {
  const broken = new Map<string, Broken>();

  function open(place: string, error: OrchError): void {
    const failures = (broken.get(place)?.failures ?? 0) + 1;
    const ms = backoffMs(failures, retryPolicies.circuit, error.retryAfterMs ?? 0, 0);
    broken.set(place, { failures, since: clock.now(), ms, error });
  }

  /** Milliseconds until the place is asked again; a clock set back must not silence it. */
  function left({ since, ms }: Broken): number {
    const now = clock.now();
    return now < since ? 0 : since + ms - now;
  }

  return {
    open,
    async through(place, work) {
      const state = broken.get(place);
      const wait = state === undefined ? 0 : left(state);
      if (state !== undefined && wait > 0) throw again(state.error, wait);
      try {
        const result = await work();
        if (broken.get(place) === state) broken.delete(place);
        return result;
      } catch (error) {
        if (error instanceof OrchError && error.kind === 'unreachable') open(place, error);
        throw error;
      }
    },
  };
}

/** The same words as before: what is wrong has not changed, and status is written again only when it has. */
function again({ message, code, hint }: OrchError, retryAfterMs: number): OrchError {
  return new OrchError(message, { code, retryAfterMs, ...(hint === undefined ? {} : { hint }) });
}
