/** The circuit breaker shared by all workers through the database (spec 7). */
export interface AgentGate {
  state: 'open' | 'closed' | 'probing';
  /** Why intake is closed: transient failures in a row, a usage limit, or authentication. */
  reason: 'transient' | 'usage_limit' | 'authentication' | null;
  detail: string;
  /** Transient failures in a row. */
  failures: number;
  /** When a closed gate lets one probe through; null: only an affirmative login check opens it. */
  until: number | null;
  /** Run that probes. */
  probe: string | null;
  version: number;
}
