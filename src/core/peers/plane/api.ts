import type { OrchError } from '../../model/index.ts';
import type { Log } from '../../platform/log.ts';
import type { Decoder } from '../http/decode.ts';
import { createDecoder } from '../http/decode.ts';
import { jsonOf, messageOf } from '../http/json.ts';
import { baseAddress } from '../../platform/address.ts';
import { segment } from '../http/paths.ts';
import type { Http, HttpAnswer, PeerErrors } from '../http/types.ts';
import type { RequestBudget } from './budget.ts';

interface PlaneRequest {
  method: 'GET' | 'POST' | 'PATCH';
  /** Below the workspace, or from the server's root when it starts with `/`; always ends in a slash. */
  path: string;
  query?: Record<string, string>;
  body?: Record<string, string>;
}

/** What the resources of Plane share: addresses, the key, the budget, and the meaning of a status. */
export interface PlaneApi {
  /** Any answer but 429. @throws OrchError `plane_unreachable`, `plane_garbage`, `plane_rate_limited` */
  send(request: PlaneRequest): Promise<HttpAnswer>;
  /** Tries the newer route of work items, then the older one; see `createPlaneApi`. */
  sendItem(build: (route: string) => PlaneRequest): Promise<HttpAnswer>;
  /** JSON of a 2xx answer; throws the error of any other. */
  accept(answer: HttpAnswer): unknown;
  failure(answer: HttpAnswer): OrchError;
  decoder(answer: HttpAnswer): Decoder;
  garbage(answer: HttpAnswer, detail: string): OrchError;
}

export interface PlaneApiOptions {
  url: string;
  workspace: string;
  token: () => string;
  http: Http;
  errors: PeerErrors;
  budget: RequestBudget;
  log: Log;
}

/** Wait after a 429 without `Retry-After`, milliseconds: the throttle's whole window (the header is missing when the limit was lowered). */
const silentThrottleMs = 60_000;

/** True for Plane's answer to an unknown route (or an id that is no UUID), as opposed to an unknown object. */
export function isUnknownRoute(answer: HttpAnswer): boolean {
  return answer.status === 404 && messageOf(answer, ['error']) === 'Page not found.';
}

/**
 * Plane's wire. Every path ends in a slash: without one the server redirects with a web page. `/work-items/` exists from
 * v1.1 and is to replace `/issues/`, which every older version has; which one a server knows is found by the first call
 * that is answered, and looked at again when the server stops knowing it (an upgrade under a running poller). Asking
 * again is safe for writes, too: an unknown route saves nothing.
 */
export function createPlaneApi(options: PlaneApiOptions): PlaneApi {
  const { errors, budget } = options;
  const base = baseAddress(options.url);
  // When it is asked for: a configuration without projects has no workspace.
  const workspace = (): string => `${base}/api/v1/workspaces/${segment(options.workspace)}/`;
  let itemRoute = 'work-items';

  const send = async (request: PlaneRequest): Promise<HttpAnswer> => {
    const query = request.query === undefined ? '' : `?${new URLSearchParams(request.query).toString()}`;
    const anonymous = request.path.startsWith('/api/instances/');
    const answer = await options.http({
      method: request.method,
      url: `${request.path.startsWith('/') ? base : workspace()}${request.path}${query}`,
      headers: {
        ...(anonymous ? {} : { 'x-api-key': options.token() }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    if (answer.status !== 429) return answer;
    const error = failure(answer, errors);
    const wait = error.retryAfterMs ?? silentThrottleMs;
    await budget.close(wait);
    options.log.warn('Plane throttles requests', { wait_ms: wait });
    throw error;
  };
  return {
    send,
    sendItem: async (build) => {
      const first = itemRoute;
      const answer = await send(build(first));
      if (!isUnknownRoute(answer)) return answer;
      const other = first === 'issues' ? 'work-items' : 'issues';
      const second = await send(build(other));
      if (isUnknownRoute(second)) return answer;
      itemRoute = other;
      options.log.info('route of work items changed', { route: other });
      return second;
    },
    accept: (answer) => {
      if (answer.status < 200 || answer.status > 299) throw failure(answer, errors);
      return jsonOf(answer, errors);
    },
    failure: (answer) => failure(answer, errors),
    decoder: (answer) => createDecoder((detail) => errors.garbage(answer.what, detail)),
    garbage: (answer, detail) => errors.garbage(answer.what, detail),
  };
}

function failure(answer: HttpAnswer, errors: PeerErrors): OrchError {
  const message = messageOf(answer, ['detail', 'error', 'error_message']);
  // Plane refuses a wrong or expired key with 403, not 401.
  if (answer.status === 403 && message === 'Given API token is not valid') {
    return errors.refusal(answer, message, {
      code: 'plane_token_refused',
      hint: 'Give orch a valid Plane API token (ORCH_PLANE_API_TOKEN).',
    });
  }
  if (answer.status === 403 && message !== '') {
    return errors.refusal(answer, message, {
      code: 'plane_forbidden',
      hint: "Make the token's account a member of the project, with the role Member or higher, and check workspace and project id.",
    });
  }
  if (isUnknownRoute(answer)) {
    return errors.refusal(answer, message, {
      code: 'plane_not_found',
      hint: 'This Plane does not know the address: check plane.url and that the version is 0.28 or newer.',
    });
  }
  return errors.ofStatus(answer, message);
}
