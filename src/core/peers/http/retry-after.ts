/** Longest wait that is believed, milliseconds: a nonsense header must not silence a peer for days. */
const longest = 3_600_000;

/**
 * Milliseconds to wait from a `Retry-After` header, seconds or a date (RFC 9110, 10.2.3); undefined when there is none
 * that can be read.
 * @param date the answer's own `Date` header: a date is measured against the clock that wrote it, not against ours
 * @param now milliseconds since the epoch, for an answer without `Date`
 */
export function retryAfterMs(header: string | undefined, date: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const value = header.trim();
  if (/^\d{1,9}(\.\d+)?$/.test(value)) return Math.min(Math.ceil(Number(value) * 1000), longest);
  const until = Date.parse(value);
  if (Number.isNaN(until) || !/[A-Za-z]/.test(value)) return undefined;
  const serverNow = date === undefined ? Number.NaN : Date.parse(date);
  return Math.min(Math.max(until - (Number.isNaN(serverNow) ? now : serverNow), 0), longest);
}
