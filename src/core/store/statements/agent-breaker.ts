import type { AgentBreaker } from '../model/index.ts';
import type { Sql } from './connection.ts';
import { asBreakerReason } from './words.ts';

/** The one row of the circuit breaker, compared and swapped by its version. */
export function agentBreakerStatements(sql: Sql) {
  return {
    get(): AgentBreaker {
      return sql<AgentBreaker>(
        'SELECT state, reason, detail, failures, until, probe, version FROM agent_breaker WHERE id = 1',
      ).get() as AgentBreaker;
    },
    /** `breaker.version` is the version that was read; `stale` when another worker was faster. */
    set(breaker: AgentBreaker): 'ok' | 'stale' {
      const done = sql(
        `UPDATE agent_breaker SET state = @state, reason = @reason, detail = @detail, failures = @failures, until = @until,
           probe = @probe, version = version + 1 WHERE id = 1 AND version = @version`,
      ).run({ ...breaker, reason: breaker.reason === null ? null : asBreakerReason(breaker.reason) });
      return done.changes === 1 ? 'ok' : 'stale';
    },
  };
}
