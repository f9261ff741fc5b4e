import type { AgentResult, OutcomeKind, RunCause, RunOutcome, StopReason } from '../model/index.ts';
import { boundedOutcome, maxDetailLength, maxRetryAfterMs, maxTailBytes } from '../model/index.ts';
import { oneLine } from './orders.ts';
import {
  errorTextCause,
  resetInText,
  retryAfterSeconds,
  speaksOfLength,
  speaksOfLimit,
  speaksOfLogin,
  speaksOfLostSession,
  transientCause,
} from './patterns.ts';
import { hiddenText, isHidden } from './preflight.ts';
import type { RunRecord } from './run-folder.ts';
import type { ResultEvent, StreamSummary } from './summary.ts';

/** Everything a run left behind, read once. */
export interface RunEvidence {
  agentKind: RunRecord['agentKind'];
  resumed: boolean;
  timeoutMs: number;
  exit: { status: number; endedAt: number } | null;
  stop: StopReason | null;
  stream: StreamSummary;
  result: AgentResult | null;
  /** Why the `.orch/result.json` that is there cannot be read. */
  trouble?: string | null;
  stdoutTail: string;
  stderrTail: string;
  /** For a `Retry-After` when the end is unknown, ms since the epoch. */
  now: number;
}

/** The classification: kind, cause, one line, and when to try again. */
interface Finding {
  kind: OutcomeKind;
  cause: RunCause;
  detail: string;
  resetAt?: number | null;
}

/** Exit status of a run that was stopped from outside, as operators know it. */
const stoppedExit = -9;

/**
 * What became of a run, from its files alone. First what the result event says, then why it was stopped, then the exit
 * status; text only for agents without structured output (spec 7). A run whose result said success and that was
 * stopped afterwards (grace, or a clock that ran out while it ended) has succeeded.
 */
export function classify(evidence: RunEvidence): RunOutcome {
  const { stream, exit } = evidence;
  const finding = find(evidence);
  const stopped = evidence.stop !== null && evidence.stop !== 'grace' && finding.kind !== 'success';
  const denied = [...new Set(stream.result?.denials ?? [])].map((tool) => oneLine(tool));
  const detail = oneLine(finding.detail) + (denied.length === 0 ? '' : ` (permission denied: ${denied.join(', ')})`);
  const outcome: RunOutcome = {
    kind: finding.kind,
    cause: finding.cause,
    detail: detail.length > maxDetailLength ? `${detail.slice(0, maxDetailLength - 1)}…` : detail,
    exitCode: stopped ? stoppedExit : (exit?.status ?? null),
    resetAt: finding.resetAt ?? null,
    costMicros: stream.costMicros,
    tokens: stream.tokens,
    sessionId: stream.sessionId,
    turns: stream.result?.turns ?? null,
    result: evidence.result,
    tail: tailOf(evidence),
    ...(evidence.trouble == null ? {} : { resultTrouble: evidence.trouble.slice(0, maxDetailLength) }),
  };
  return boundedOutcome(outcome, evidence.now);
}

function find(evidence: RunEvidence): Finding {
  const { stop, stream, agentKind } = evidence;
  // A check has only its exit status; whatever a test prints that looks like an event is test output.
  const result = agentKind === 'check' ? null : stream.result;
  if (stop === 'cancel') return { kind: 'cancelled', cause: 'cancelled', detail: 'stopped on request' };
  if (result !== null && !result.isError && result.subtype === 'success') return success(evidence, result);
  if (stop !== null && stop !== 'grace') return whileRetrying(stop, evidence) ?? stoppedBy(stop, evidence.timeoutMs);
  if (result !== null) return failedResult(result, evidence);
  if (evidence.exit === null)
    return { kind: 'interrupted', cause: 'no_exit', detail: 'ended without a trace: the host or its supervisor died' };
  return byExit(evidence, evidence.exit.status);
}

function success(evidence: RunEvidence, result: ResultEvent): Finding {
  const status = evidence.exit?.status ?? 0;
  const odd = status === 0 || evidence.stop !== null ? '' : ` (exit status ${status} after the result)`;
  return { kind: 'success', cause: 'success', detail: (result.text.trim() === '' ? 'done' : result.text) + odd };
}

/** A clock that ran out while the CLI waited for a service that refused is the service's trouble, not the run's time. */
function whileRetrying(stop: StopReason, { stream }: RunEvidence): Finding | null {
  if (stream.retrying === null || (stop !== 'timeout' && stop !== 'idle')) return null;
  const { status, error } = stream.retrying;
  const detail = `stopped by its clock while its service was asked again (${status ?? error ?? 'no answer'})`;
  const found = byStatus(status, detail) ?? byError(error, detail);
  return found?.kind === 'transient' ? found : { kind: 'transient', cause: 'network', detail };
}

function stoppedBy(stop: Exclude<StopReason, 'cancel' | 'grace'>, timeoutMs: number): Finding {
  switch (stop) {
    case 'timeout':
      return {
        kind: 'timeout',
        cause: 'wall_clock',
        detail: `stopped after its time limit of ${Math.round(timeoutMs / 1000)} s`,
      };
    case 'idle':
      return { kind: 'timeout', cause: 'idle', detail: 'stopped because it had printed nothing for too long' };
    case 'output':
      return { kind: 'own_fault', cause: 'output_limit', detail: 'stopped because its output was past the size limit' };
    case 'shutdown':
      return { kind: 'interrupted', cause: 'shutdown', detail: 'stopped because its worker was stopped' };
    case 'orphan':
      return { kind: 'interrupted', cause: 'orphan', detail: 'stopped because nobody supervised it any more' };
  }
}

/** Causes of a failed result that need no more than its own fields. */
const plainFailures: Record<string, Finding> = {
  error_max_turns: { kind: 'own_fault', cause: 'max_turns', detail: 'reached its limit of turns' },
  error_max_budget_usd: { kind: 'budget', cause: 'budget', detail: 'reached its limit of dollars' },
  max_turns: { kind: 'own_fault', cause: 'max_turns', detail: 'reached its limit of turns' },
  budget_exhausted: { kind: 'budget', cause: 'budget', detail: 'reached its limit of dollars' },
  prompt_too_long: { kind: 'own_fault', cause: 'prompt_too_long', detail: 'the conversation no longer fits the model' },
};

/** The limits that a usage limit of the service may be (CLI 2.1.197). */
const limitCauses: readonly RunCause[] = ['five_hour', 'seven_day', 'seven_day_opus', 'seven_day_sonnet', 'overage'];

function failedResult(result: ResultEvent, evidence: RunEvidence): Finding {
  const plain = plainFailures[result.subtype] ?? plainFailures[result.terminalReason ?? ''];
  if (plain !== undefined) return plain;
  if (sessionIsGone(evidence, result.text)) return resumeFailed;
  const detail = result.text.trim() === '' ? `failed: ${result.subtype || 'no reason given'}` : result.text;
  const { limit, lastError } = evidence.stream;
  if (speaksOfLength(result.text)) return { kind: 'own_fault', cause: 'prompt_too_long', detail };
  if (speaksOfLogin(result.text)) return { kind: 'authentication', cause: 'authentication', detail };
  if (speaksOfLimit(result.text) || lastError === 'billing_error') return usageLimit(result, evidence, detail);
  // The failure's own status goes before a limit that was named earlier: only 429 and silence may be that limit.
  const ownStatus = result.apiStatus === 429 ? null : byStatus(result.apiStatus, detail);
  if (ownStatus !== null) return ownStatus;
  if (limit !== null && errorTextCause(result.text) !== 'network') return usageLimit(result, evidence, detail);
  return byStatus(result.apiStatus, detail) ?? byError(lastError, detail) ?? byText(result, evidence, detail);
}

function usageLimit(result: ResultEvent, evidence: RunEvidence, detail: string): Finding {
  const { limit, lastError } = evidence.stream;
  const named = limitCauses.find((known) => known === limit?.type);
  const cause = named ?? (limit === null && lastError === 'billing_error' ? 'billing' : 'usage_limit');
  return { kind: 'usage_limit', cause, detail, resetAt: limit?.resetAt ?? resetInText(result.text) };
}

function byStatus(status: number | null, detail: string): Finding | null {
  if (status === null) return null;
  if (status === 401 || status === 403) return { kind: 'authentication', cause: 'authentication', detail };
  if (status === 429) return { kind: 'transient', cause: 'rate_limit', detail };
  if (status === 529) return { kind: 'transient', cause: 'overloaded', detail };
  if (status === 408 || status >= 500) return { kind: 'transient', cause: 'server_error', detail };
  return { kind: 'own_fault', cause: status === 404 ? 'model_not_found' : 'api_error', detail };
}

/** `error` of a synthetic message; what is not here is the run's own fault. */
function byError(error: string | null, detail: string): Finding | null {
  switch (error) {
    case 'rate_limit':
    case 'overloaded':
    case 'server_error':
      return { kind: 'transient', cause: error, detail };
    case 'authentication_failed':
    case 'oauth_org_not_allowed':
      return { kind: 'authentication', cause: 'authentication', detail };
    case 'model_not_found':
    case 'invalid_request':
    case 'max_output_tokens':
      return { kind: 'own_fault', cause: error, detail };
    default:
      return null;
  }
}

/** Connection trouble has no status: then the CLI's own error text, which begins with its marker, says so. */
function byText(result: ResultEvent, evidence: RunEvidence, detail: string): Finding {
  const cause = errorTextCause(result.text);
  if (cause !== null) return { kind: 'transient', cause, detail };
  const status = evidence.exit?.status;
  if (status !== undefined && endedBySignal(status)) return interrupted(status);
  if (result.subtype === 'error_during_execution') return { kind: 'own_fault', cause: result.subtype, detail };
  // A way to fail that this version of orch does not know is named for people.
  const said = ['', 'success'].includes(result.subtype) ? detail : `${detail} (${result.subtype})`;
  return { kind: 'own_fault', cause: 'error_result', detail: said };
}

/** Somebody outside ended it (shutdown, out of memory, an operator): HUP, INT, KILL, TERM as a shell reports them. */
const endedBySignal = (status: number): boolean => [129, 130, 137, 143].includes(status);
const interrupted = (status: number): Finding => ({
  kind: 'interrupted',
  cause: 'signal',
  detail: `ended by signal ${status - 128} from outside`,
});

function byExit(evidence: RunEvidence, status: number): Finding {
  const { agentKind, stderrTail, stdoutTail } = evidence;
  if (agentKind === 'check') {
    return status === 0
      ? { kind: 'success', cause: 'success', detail: 'the command succeeded' }
      : { kind: 'own_fault', cause: 'exit_status', detail: `the command ended with exit status ${status}` };
  }
  if (endedBySignal(status)) return interrupted(status);
  if (isHidden(stderrTail)) return { kind: 'own_fault', cause: 'not_startable', detail: hiddenText(stderrTail) };
  if (status === 126 || status === 127)
    return { kind: 'own_fault', cause: 'not_startable', detail: `could not be started: ${lastLine(stderrTail)}` };
  if (agentKind === 'claude') return withoutResult(evidence, status);
  if (status === 0) return { kind: 'success', cause: 'success', detail: lastLine(stdoutTail) || 'done' };
  const text = `${stdoutTail}\n${stderrTail}`;
  const cause = transientCause(text);
  const detail = `exit status ${status}: ${lastLine(stderrTail) || lastLine(stdoutTail)}`;
  if (cause === null) return { kind: 'own_fault', cause: 'exit_status', detail };
  const seconds = retryAfterSeconds(text);
  const resetAt =
    seconds === null ? null : (evidence.exit?.endedAt ?? evidence.now) + Math.min(seconds * 1000, maxRetryAfterMs);
  return { kind: 'transient', cause, detail, resetAt };
}

/** Nothing of the run's was tried: the next one begins a session of its own. */
const resumeFailed: Finding = {
  kind: 'interrupted',
  cause: 'resume_failed',
  detail: 'the session to resume is gone',
};

/** Which place the words stand in differs between versions of the CLI. */
function sessionIsGone(evidence: RunEvidence, said: string): boolean {
  return evidence.resumed && speaksOfLostSession(`${said}\n${evidence.stderrTail}`);
}

/** Claude ended by itself and left no result event: refused arguments, a missing session, or a crash. */
function withoutResult(evidence: RunEvidence, status: number): Finding {
  const { stderrTail, stdoutTail, stream } = evidence;
  const said = lastLine(stderrTail) || lastLine(stdoutTail);
  if (sessionIsGone(evidence, stdoutTail)) return resumeFailed;
  const cause = status === 0 ? 'no_result' : 'exit_status';
  const detail = `ended with exit status ${status} and no result${said === '' ? '' : `: ${said}`}`;
  return byError(stream.lastError, stream.lastText || detail) ?? { kind: 'own_fault', cause, detail };
}

/** The last line that says something; an event of a stream is not for people. */
function lastLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.findLast((line) => line !== '' && !line.startsWith('{')) ?? '';
}

/** Last words for people: of Claude its final text, of others what they printed, error output last. */
function tailOf(evidence: RunEvidence): string {
  const { agentKind, stream, stderrTail, stdoutTail } = evidence;
  const spoken = stream.result?.text.trim() === '' ? stream.lastText : (stream.result?.text ?? stream.lastText);
  const out = agentKind === 'claude' ? spoken || stdoutTail : stdoutTail;
  const errors = stderrTail.trim();
  const room = Math.max(maxTailBytes / 2, maxTailBytes - Buffer.byteLength(errors) - 1);
  const first = lastBytes(out.trim(), errors === '' ? maxTailBytes : room);
  return lastBytes(
    [first, errors === '' ? '' : lastBytes(errors, maxTailBytes - Buffer.byteLength(first) - 1)]
      .filter((part) => part !== '')
      .join('\n'),
    maxTailBytes,
  );
}

/** The end of a text in at most so many bytes, cut on a character. */
function lastBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let start = bytes.length - limit;
  while (start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.toString('utf8', start);
}
