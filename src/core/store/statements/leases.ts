import type { NamedLease, ProcessReport, ProcessRow } from '../../model/index.ts';
import { decode } from '../codec.ts';
import { all, one, run, type Query } from '../query.ts';
import { asProcessKind } from '../words.ts';

interface LeaseColumns {
  name: string;
  owner: string;
  token: number;
  expires_at: number;
}

function decodeLease(row: LeaseColumns): NamedLease {
  return { name: row.name, owner: row.owner, token: row.token, expiresAt: row.expires_at };
}

// Ours is extended under its token; a free or expired one changes its owner and its token. One that ends later than any
// honest lease could was written before the clock was set back, and would keep everybody out for as long as the jump.
const acquire = `INSERT INTO leases (name, owner, token, expires_at) VALUES (@name, @owner, 1, @now + @ttl)
  ON CONFLICT (name) DO UPDATE SET owner = @owner, expires_at = @now + @ttl,
    token = leases.token + CASE WHEN leases.owner = @owner THEN 0 ELSE 1 END
  WHERE leases.owner IS NULL OR leases.owner = @owner OR leases.expires_at <= @now OR leases.expires_at > @now + 2 * @ttl
  RETURNING *`;

const release =
  'UPDATE leases SET owner = NULL, expires_at = 0 WHERE name = @name AND owner = @owner AND token = @token';

const holds = 'SELECT 1 FROM leases WHERE name = @name AND owner = @owner AND token = @token AND expires_at > @now';

/** Named leases of processes (poller leadership). Each function is one statement. */
export const leases = {
  *acquire(name: string, owner: string, ttl: number, now: number): Query<NamedLease | null> {
    const row = yield* one<LeaseColumns>(acquire, { name, owner, ttl, now });
    return row === null ? null : decodeLease(row);
  },
  /** The row stays, so that the next owner's token is higher than every one before. */
  *release({ name, owner, token }: NamedLease): Query<void> {
    yield* run(release, { name, owner, token });
  },
  *holds({ name, owner, token }: NamedLease, now: number): Query<boolean> {
    return (yield* one(holds, { name, owner, token, now })) !== null;
  },
  *list(): Query<NamedLease[]> {
    const rows = yield* all<LeaseColumns>('SELECT * FROM leases WHERE owner IS NOT NULL ORDER BY name');
    return rows.map(decodeLease);
  },
};

interface ProcessColumns {
  owner: string;
  name: string;
  kind: string;
  started_at: number;
  seen_at: number;
  detail: string;
}

function decodeProcess(row: ProcessColumns): ProcessRow {
  const facts = { name: row.name, owner: row.owner, startedAt: row.started_at, seenAt: row.seen_at };
  return row.kind === 'worker'
    ? { ...facts, kind: 'worker', detail: decode(row.detail) }
    : { ...facts, kind: 'poller', detail: decode(row.detail) };
}

/** A silent process stays in sight for a day; one that another of its name has replaced, for five minutes. */
const forgetMs = 24 * 3_600_000;
const replacedMs = 5 * 60_000;

const putProcess = `INSERT INTO processes (owner, name, kind, started_at, seen_at, detail)
    VALUES (@owner, @name, @kind, @now, @now, @detail)
  ON CONFLICT (owner) DO UPDATE SET name = @name, kind = @kind, seen_at = @now, detail = @detail`;

const forget = `DELETE FROM processes
  WHERE seen_at < @now - @forget OR (name = @name AND owner <> @owner AND seen_at < @now - @replaced)`;

/** Liveness of the service processes. */
export const processes = {
  *beat({ owner, name, kind, detail }: ProcessReport, now: number): Query<void> {
    yield* run(putProcess, { owner, name, kind: asProcessKind(kind), detail: JSON.stringify(detail), now });
    yield* run(forget, { name, owner, now, forget: forgetMs, replaced: replacedMs });
  },
  *list(): Query<ProcessRow[]> {
    return (yield* all<ProcessColumns>('SELECT * FROM processes ORDER BY kind, name, started_at')).map(decodeProcess);
  },
};
