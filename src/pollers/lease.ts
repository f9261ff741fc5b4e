/**
 * The lease that the leading poller takes with every tick. A leader that has not ticked for `ms` milliseconds has lost the
 * lead: several ticks, and less than a person's patience.
 */
export const pollerLease = { name: 'poller', ms: 120_000 };
