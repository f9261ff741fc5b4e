import type { Totals } from '../../model/index.ts';
import { all, type Query } from '../query.ts';

const byState = 'SELECT state, n FROM finished WHERE what = @what AND n > 0 ORDER BY state';

const runTotals = `SELECT role, kind, state AS result, n, ms, cost_micros AS "costMicros",
    input_tokens AS input, output_tokens AS output, cache_read_tokens AS "cacheRead", cache_write_tokens AS "cacheWrite" FROM finished
  WHERE what = 'runs' ORDER BY role, kind, state`;

/** Counts of what has finished, which triggers of the schema keep: a row of each kind is counted when it finishes. */
export const finished = {
  *states<State extends string>(what: 'tasks' | 'jobs' | 'effects'): Query<{ state: State; n: number }[]> {
    return yield* all(byState, { what });
  },
  *runs(): Query<Totals['runs']> {
    return yield* all(runTotals);
  },
};
