import type { AgentBreaker } from '../../model/index.ts';
import { one, run, type Query } from '../query.ts';
import { asBreakerReason } from '../words.ts';

const setBreaker = `UPDATE agent_breaker SET state = @state, reason = @reason, detail = @detail, failures = @failures,
    until = @until, probe = @probe, version = version + 1
  WHERE id = 1 AND version = @version`;

/** The one row of the circuit breaker, compared and swapped by its version. */
export const agentBreaker = {
  *get(): Query<AgentBreaker> {
    const text = 'SELECT state, reason, detail, failures, until, probe, version FROM agent_breaker WHERE id = 1';
    return (yield* one<AgentBreaker>(text)) as AgentBreaker;
  },
  /** `breaker.version` is the version that was read; `stale` when another worker was faster. */
  *set(breaker: AgentBreaker): Query<'ok' | 'stale'> {
    const reason = breaker.reason === null ? null : asBreakerReason(breaker.reason);
    return (yield* run(setBreaker, { ...breaker, reason })) === 1 ? 'ok' : 'stale';
  },
};
