import type { RunCause } from '../model/index.ts';

/**
 * Text patterns, the last resort (spec 7): for agents without structured output, and for the text of Claude's own final
 * error, never for what an agent wrote or quoted. A bare "timeout" is none: test suites print it all the time.
 */
const transient: [RegExp, RunCause][] = [
  [/\b(?:HTTP|status|error|code)\D{0,12}429\b|\brate[ _-]?limit|too many requests|\bquota\b/i, 'rate_limit'],
  [/\b(?:HTTP|status|error|code)\D{0,12}529\b|\boverloaded/i, 'overloaded'],
  [
    /\b(?:HTTP|status|error|code)\D{0,12}50[0234]\b|service unavailable|temporarily unavailable|\bbad gateway\b/i,
    'server_error',
  ],
  [/\bretry[ _-]after\b/i, 'rate_limit'],
  [
    /\bE(?:CONN(?:RESET|REFUSED|ABORTED)|TIMEDOUT|AI_AGAIN|NOTFOUND|NETUNREACH|HOSTUNREACH|NETDOWN|HOSTDOWN|PIPE)\b/,
    'network',
  ],
  [
    /connection (?:error|reset|refused|aborted|closed|timed out|was closed)|unable to connect|fetch failed|socket hang up|network (?:error|is unreachable)/i,
    'network',
  ],
];

/** Machine name of the transient trouble a text speaks of; null when it speaks of none. */
export function transientCause(text: string): RunCause | null {
  return transient.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}

/** Connection trouble as the CLI and its runtime name it when no request was answered; with `API Error` in front or not. */
const connectionTrouble =
  /^(?:the )?(?:socket )?connection (?:was |error|reset|refused|closed|timed out)|^unable to connect|^fetch failed|^request timed out|^(?:getaddrinfo|connect) E[A-Z]+/i;

/** The same of the CLI's own error text, which begins with its marker; connection trouble has no other trace. */
export function errorTextCause(text: string): RunCause | null {
  if (connectionTrouble.test(text)) return 'network';
  if (!text.startsWith('API Error')) return null;
  return (
    transientCause(text) ??
    (/timed out|internal server error/i.test(text) ? (/internal/i.test(text) ? 'server_error' : 'network') : null)
  );
}

export function speaksOfLength(text: string): boolean {
  return /^prompt is too long/i.test(text);
}

/** Claude's own words (2.1.197) for a session to resume that is not there. */
export function speaksOfLostSession(text: string): boolean {
  return text.includes('No conversation found with session ID');
}

/** Claude's own words for a spent allowance (research: CLI 4.4). */
export function speaksOfLimit(text: string): boolean {
  return /you['’]ve hit your .{0,40}limit|(?:usage|spend|spending|session|weekly) limit (?:reached|exceeded)|out of (?:extra usage|usage credits|credits)|(?:extra usage|usage credits) (?:is|are) required|credit balance (?:is )?too low/i.test(
    text,
  );
}

/** Claude's own words for an account that may not ask: no login, a refused key, an organisation that is disabled. */
const login = [
  /not logged in|(?:please )?run \/login|(?:login|session) expired|^(?:api error: )?(?:\d{3} )?failed to authenticate|^authentication error/i,
  /invalid (?:x-)?api[ -]key|invalid bearer token|invalid authentication credentials/i,
  /oauth token.{0,40}(?:expired|revoked|invalid|does not)|oauth authentication is currently not/i,
  /organi[sz]ation (?:has been|is|was) disabled|organi[sz]ation has disabled|account (?:has been disabled|does not have access)/i,
];

export function speaksOfLogin(text: string): boolean {
  return login.some((pattern) => pattern.test(text));
}

/** Seconds that a `Retry-After` header or a `retry_after` value asks for; null when there is none. The last one counts. */
export function retryAfterSeconds(text: string): number | null {
  const found = [...text.matchAll(/retry[-_ ]?after(?:_seconds)?["']?\s*[:=]\s*["']?(\d+)\b/gi)];
  const last = found.at(-1)?.[1];
  return last === undefined ? null : Number(last);
}

/** `Claude AI usage limit reached|<epoch seconds>`, the oldest form; ms since the epoch, or null. */
export function resetInText(text: string): number | null {
  const match = /limit reached\|(\d{10})\b/.exec(text);
  return match === null ? null : Number(match[1]) * 1000;
}
