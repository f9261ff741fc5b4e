import type { AgentGate } from '../model/index.ts';
import type { Sql } from './connection.ts';
import { asGateReason } from './words.ts';

/** The one row of the circuit breaker, compared and swapped by its version. */
export function agentGateStatements(sql: Sql) {
  return {
    get(): AgentGate {
      return sql<AgentGate>(
        'SELECT state, reason, detail, failures, until, probe, version FROM agent_gate WHERE id = 1',
      ).get() as AgentGate;
    },
    /** `gate.version` is the version that was read; `stale` when another worker was faster. */
    set(gate: AgentGate): 'ok' | 'stale' {
      const done = sql(
        `UPDATE agent_gate SET state = @state, reason = @reason, detail = @detail, failures = @failures, until = @until,
           probe = @probe, version = version + 1 WHERE id = 1 AND version = @version`,
      ).run({ ...gate, reason: gate.reason === null ? null : asGateReason(gate.reason) });
      return done.changes === 1 ? 'ok' : 'stale';
    },
  };
}
