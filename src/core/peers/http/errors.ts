import { OrchError, type ErrorCode } from '../../model/index.ts';
import { printable, reorderingMarks } from '../../platform/printable.ts';
import { Redactor } from '../../platform/redact.ts';
import { parseJson } from './json.ts';
import { retryAfterMs } from './retry-after.ts';
import type { HttpAnswer, PeerErrors } from './types.ts';

type PeerName = 'plane' | 'gitea' | 'telegram';

/** What any answer over HTTP may mean, from any peer; the code is `<peer>_<fault>`. */
type Fault =
  'unreachable' | 'garbage' | 'too_large' | 'rate_limited' | 'server_error' | 'refused' | 'token_refused' | 'not_found';

export interface PeerErrorOptions {
  peer: PeerName;
  /** What people call it: `Plane`. */
  label: string;
  /** Base address; only its host is ever named. */
  url: string;
  /** Values that must never be seen in an error. */
  secrets: () => string[];
  /** Milliseconds since the epoch. */
  now: () => number;
}

const maxExcerpt = 300;

/** The error factory of a peer, see {@link PeerErrors}. */
export function createPeerErrors(options: PeerErrorOptions): PeerErrors {
  const at = `${options.label} at ${hostOf(options.url)}`;
  const excerpt = (text: string): string => {
    const redactor = new Redactor(options.secrets());
    // Twice: marks that are taken out may have stood within a secret.
    const line = printable(
      redactor.redact(redactor.redact(text).replace(reorderingMarks, '')).replace(/\s+/g, ' ').trim(),
    );
    const characters = [...line];
    return characters.length <= maxExcerpt ? line : `${characters.slice(0, maxExcerpt).join('')}…`;
  };
  const code = (fault: Fault) => `${options.peer}_${fault}` as const;
  const garbage = (what: string, detail: string): OrchError =>
    new OrchError(`${at} answered ${excerpt(what)} with something that cannot be understood: ${excerpt(detail)}`, {
      code: code('garbage'),
      hint: `Check that the configured address is ${options.label}'s and that no proxy answers in its place.`,
    });
  const refusal: PeerErrors['refusal'] = (answer, message, { code: found, hint }) =>
    new OrchError(said(at, answer, excerpt(answer.what), excerpt(message)), {
      code: found,
      ...(hint === undefined ? {} : { hint }),
    });
  const later: Makers['later'] = (answer, message, fault) => {
    const wait = retryAfterMs(answer.headers['retry-after'], answer.headers['date'], options.now());
    return new OrchError(said(at, answer, excerpt(answer.what), excerpt(message)), {
      code: code(fault),
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
    });
  };
  return {
    unreachable: (what, detail, hint) =>
      new OrchError(`${at} cannot be reached (${excerpt(what)}): ${excerpt(detail)}`, {
        code: code('unreachable'),
        hint: hint ?? `Check that ${options.label} is running and that its configured address is right.`,
      }),
    garbage,
    tooLarge: (what, bytes) =>
      new OrchError(`${at} answered ${excerpt(what)} with more than ${Math.round(bytes / 1e5) / 10} MB`, {
        code: code('too_large'),
      }),
    refusal,
    excerpt,
    ofStatus: (answer, message) => ofStatus(answer, message, { garbage, refusal, later, code }, options.label),
  };
}

interface Makers {
  garbage: PeerErrors['garbage'];
  refusal: PeerErrors['refusal'];
  later(answer: HttpAnswer, message: string, fault: 'rate_limited' | 'server_error'): OrchError;
  code(fault: Fault): ErrorCode;
}

function ofStatus(answer: HttpAnswer, message: string, make: Makers, label: string): OrchError {
  const { status } = answer;
  if (status === 429) return make.later(answer, message, 'rate_limited');
  if (status >= 500 || status === 408 || status === 425) return make.later(answer, message, 'server_error');
  if (status === 301 || status === 308) {
    return make.refusal(answer, `moved to ${answer.headers['location'] ?? 'nowhere'}`, {
      code: make.code('refused'),
      hint: 'orch follows no redirect: put the new address, or the new name of the repository, into the configuration.',
    });
  }
  // A temporary redirect is a proxy's login or maintenance page, not an answer.
  if (status < 400) return make.garbage(answer.what, `HTTP ${status}`);
  if (status === 401) {
    return make.refusal(answer, message, {
      code: make.code('token_refused'),
      hint: `Give orch a valid token for ${label}.`,
    });
  }
  // Without JSON it is a proxy that speaks, and its 404 must never be read as "the item is gone".
  if (!parseJson(answer.text).ok) return make.garbage(answer.what, `HTTP ${status} without JSON`);
  return make.refusal(answer, message, { code: make.code(status === 404 ? 'not_found' : 'refused') });
}

function said(at: string, answer: HttpAnswer, what: string, message: string): string {
  return `${at} answered ${what} with HTTP ${answer.status}${message === '' ? '' : `: ${message}`}`;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an unreadable address';
}
