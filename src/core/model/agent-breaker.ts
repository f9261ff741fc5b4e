/** The circuit breaker in front of the agents' service, shared by all workers through the database (spec 7). */
export interface AgentBreaker {
  /** `closed`: agents start; `open`: none starts; `half_open`: one run tries whether the service answers again. */
  state: 'closed' | 'open' | 'half_open';
  /** Why it opened: transient failures in a row, a usage limit, or a missing login; null while closed. */
  reason: 'transient' | 'usage_limit' | 'authentication' | null;
  detail: string;
  /** Transient failures in a row. */
  failures: number;
  /** When an open breaker lets one probe through; null: only a login check that says yes closes it. */
  until: number | null;
  /** Run that probes. */
  probe: string | null;
  version: number;
}
