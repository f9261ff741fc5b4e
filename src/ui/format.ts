const units = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'm', ms: 60_000 },
  { name: 's', ms: 1000 },
] as const;

/** A span of time in its two largest units: `45s`, `3m04s`, `2h05m`, `3d04h`; milliseconds below one second. */
export function duration(ms: number): string {
  const span = Math.max(0, Math.round(ms));
  if (span < 1000) return `${span}ms`;
  const whole = Math.floor(span / 1000) * 1000;
  const i = units.findIndex((unit) => whole >= unit.ms);
  const large = units[i];
  const small = units[i + 1];
  if (large === undefined) return '0s';
  const head = `${Math.floor(whole / large.ms)}${large.name}`;
  const rest = small === undefined ? 0 : Math.floor((whole % large.ms) / small.ms);
  return small === undefined || rest === 0 ? head : `${head}${String(rest).padStart(2, '0')}${small.name}`;
}

/** How long ago, or how far ahead: `3m ago`, `in 20s`, `now`; one unit, for columns. */
export function ago(at: number, now: number): string {
  const span = Math.abs(now - at);
  const unit = units.find(({ ms }) => span >= ms);
  if (unit === undefined) return 'now';
  const text = `${Math.floor(span / unit.ms)}${unit.name}`;
  return at <= now ? `${text} ago` : `in ${text}`;
}

/** RFC 3339 in UTC, for `--json` and for pipes. */
export function rfc3339(at: number): string {
  return new Date(at).toISOString();
}

/** Milliseconds since the epoch as RFC 3339, or null. */
export function rfc3339OrNull(at: number | null): string | null {
  return at === null ? null : rfc3339(at);
}

/** Micro-dollars for people: cents, or two digits more below ten cents, where most single runs are. */
export function dollars(micros: number): string {
  const value = micros / 1e6;
  return `$${value.toFixed(value !== 0 && Math.abs(value) < 0.1 ? 4 : 2)}`;
}
