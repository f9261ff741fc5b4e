import type { NamedLease, ProcessReport, ProcessRow } from '../model/index.ts';
import { decode } from './codec.ts';
import type { Sql } from './connection.ts';
import { asProcessKind } from './words.ts';

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
    token = token + CASE WHEN owner = @owner THEN 0 ELSE 1 END
  WHERE owner IS NULL OR owner = @owner OR expires_at <= @now OR expires_at > @now + 2 * @ttl
  RETURNING *`;

/** Named leases of processes (poller leadership). Each function is one statement. */
export function leaseStatements(sql: Sql) {
  return {
    acquire(name: string, owner: string, ttl: number, now: number): NamedLease | null {
      const row = sql<LeaseColumns>(acquire).get({ name, owner, ttl, now });
      return row === undefined ? null : decodeLease(row);
    },
    /** The row stays, so that the next owner's token is higher than every one before. */
    release(lease: NamedLease): void {
      sql('UPDATE leases SET owner = NULL, expires_at = 0 WHERE name = ? AND owner = ? AND token = ?').run(
        lease.name,
        lease.owner,
        lease.token,
      );
    },
    holds(lease: NamedLease, now: number): boolean {
      return (
        sql('SELECT 1 FROM leases WHERE name = ? AND owner = ? AND token = ? AND expires_at > ?').get(
          lease.name,
          lease.owner,
          lease.token,
          now,
        ) !== undefined
      );
    },
    list(): NamedLease[] {
      return sql<LeaseColumns>('SELECT * FROM leases WHERE owner IS NOT NULL ORDER BY name').all().map(decodeLease);
    },
  };
}

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

/** Liveness of the service processes. */
export function processStatements(sql: Sql) {
  return {
    beat(row: ProcessReport, now: number): void {
      sql(
        `INSERT INTO processes (owner, name, kind, started_at, seen_at, detail) VALUES (@owner, @name, @kind, @now, @now, @detail)
         ON CONFLICT (owner) DO UPDATE SET name = @name, kind = @kind, seen_at = @now, detail = @detail`,
      ).run({
        owner: row.owner,
        name: row.name,
        kind: asProcessKind(row.kind),
        detail: JSON.stringify(row.detail),
        now,
      });
      sql(
        `DELETE FROM processes WHERE seen_at < @now - @forget OR (name = @name AND owner <> @owner AND seen_at < @now - @replaced)`,
      ).run({ name: row.name, owner: row.owner, now, forget: forgetMs, replaced: replacedMs });
    },
    list(): ProcessRow[] {
      return sql<ProcessColumns>('SELECT * FROM processes ORDER BY kind, name, started_at').all().map(decodeProcess);
    },
  };
}
