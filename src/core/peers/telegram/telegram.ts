import { OrchError } from '../../model/index.ts';
import type { Chat } from '../../model/index.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Network } from '../../platform/network.ts';
import { createHttp } from '../http/client.ts';
import { createPeerErrors } from '../http/errors.ts';
import { jsonOf, messageOf, parseJson } from '../http/json.ts';
import { baseAddress } from '../../platform/address.ts';
import type { HttpAnswer, PeerErrors } from '../http/types.ts';
import { cutHtml } from './cut-html.ts';

export interface TelegramOptions {
  token: () => string;
  chatId: string;
  /** Default `https://api.telegram.org`. */
  apiUrl?: string;
  /** Further secrets that no error may repeat: those of the other peers. */
  secrets?: () => string[];
  /** Milliseconds until the message must be accepted; default 5 s (spec 10). */
  timeoutMs?: number;
  /** Proxies and trusted authorities; default: what the environment says. */
  network?: Network;
  clock?: Clock;
}

/** Longest message Telegram takes (Bot API, sendMessage). */
const maxMessage = 4096;

/**
 * Sends messages to one chat. The token is a part of the address, so no error names the address. Throws OrchError
 * `telegram_unreachable`, `telegram_rate_limited`, `telegram_server_error`, `telegram_garbage` (all to be tried again later),
 * `telegram_token_refused` (exit `authentication`), `telegram_refused`. `botName` only asks who the token belongs to.
 */
export function createTelegram(options: TelegramOptions): Chat & { botName(): Promise<string> } {
  const url = options.apiUrl ?? 'https://api.telegram.org';
  const timeoutMs = options.timeoutMs ?? 5_000;
  const clock = options.clock ?? systemClock;
  const secrets = (): string[] => [options.token(), ...(options.secrets?.() ?? [])];
  const errors = createPeerErrors({ peer: 'telegram', label: 'Telegram', url, secrets, now: () => clock.now() });
  const http = createHttp({
    errors,
    ...(options.network === undefined ? {} : { network: options.network }),
    timeouts: { readMs: timeoutMs, writeMs: timeoutMs },
    circuit: { clock, placeOf: /^/ },
  });
  const address = (method: string): string =>
    `${baseAddress(url)}/bot${encodeURIComponent(options.token()).replaceAll('%3A', ':')}/${method}`;
  return {
    botName: async () => {
      const answer = await http({ method: 'GET', url: address('getMe'), what: 'getMe', headers: {} });
      if (answer.status !== 200) throw failure(answer, errors);
      const { result } = jsonOf(answer, errors) as { result?: { username?: unknown } };
      if (typeof result?.username !== 'string') throw errors.garbage(answer.what, 'no bot in the answer');
      return result.username;
    },
    send: async (html) => {
      const answer = await http({
        method: 'POST',
        url: address('sendMessage'),
        what: 'sendMessage',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          chat_id: options.chatId,
          text: cutHtml(html, maxMessage),
          parse_mode: 'HTML',
          link_preview_options: { is_disabled: true },
        }),
      });
      if (answer.status !== 200) throw failure(answer, errors);
      const body = jsonOf(answer, errors);
      if (typeof body !== 'object' || body === null || !('ok' in body) || body.ok !== true) {
        throw errors.garbage(answer.what, 'no "ok" in the answer');
      }
    },
  };
}

function failure(answer: HttpAnswer, errors: PeerErrors): OrchError {
  const message = messageOf(answer, ['description']);
  // A token of the wrong form is answered with 404, a revoked one with 401.
  if (answer.status === 401 || (answer.status === 404 && parseJson(answer.text).ok)) {
    return errors.refusal(answer, message, {
      code: 'telegram_token_refused',
      hint: 'Give orch a valid bot token (ORCH_TELEGRAM_BOT_TOKEN).',
    });
  }
  const moved = parameterOf(answer, 'migrate_to_chat_id');
  if (moved !== null) {
    return errors.refusal(answer, message, {
      code: 'telegram_refused',
      hint: `The group is a supergroup now and has another number: set telegram.chatId to "${moved}" and restart the services.`,
    });
  }
  const error = errors.ofStatus(answer, message);
  const wait = retryAfterOf(answer);
  if (answer.status !== 429 || wait === null) return error;
  return new OrchError(error.message, { code: error.code, retryAfterMs: wait });
}

/** Telegram writes the wait into the body, seconds. */
function retryAfterOf(answer: HttpAnswer): number | null {
  const seconds = parameterOf(answer, 'retry_after');
  return seconds !== null && seconds >= 0 && seconds <= 3_600 ? Math.ceil(seconds * 1000) : null;
}

/** A number of `parameters` (Bot API, ResponseParameters); null when it is not there. */
function parameterOf(answer: HttpAnswer, name: 'retry_after' | 'migrate_to_chat_id'): number | null {
  const parsed = parseJson(answer.text);
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return null;
  const parameters = (parsed.value as Record<string, unknown>)['parameters'];
  if (typeof parameters !== 'object' || parameters === null) return null;
  const value = (parameters as Record<string, unknown>)[name];
  return typeof value === 'number' && Number.isSafeInteger(Math.trunc(value)) ? value : null;
}
