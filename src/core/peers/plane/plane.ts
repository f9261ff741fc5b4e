import type { RequestLedger, Tracker } from '../../model/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { memoryLedger } from '../../queue/requests.ts';
import type { Network } from '../../platform/network.ts';
import type { Log } from '../../platform/log.ts';
import { createHttp } from '../http/client.ts';
import type { Timeouts } from '../http/client.ts';
import { createPeerErrors } from '../http/errors.ts';
import type { Http } from '../http/types.ts';
import { createPlaneApi } from './api.ts';
import { createRequestBudget } from './budget.ts';
import { createComments } from './comments.ts';
import { createItems } from './items.ts';
import { createProjects } from './projects.ts';
import { stateFor } from './states.ts';

export interface PlaneOptions {
  url: string;
  workspace: string;
  /** Read at every request, so that a renewed token needs no restart. */
  token: () => string;
  /** Requests in any 60 s, of all that share the ledger (spec 4.4). */
  requestsPerMinute: number;
  /** What was sent with this token; default: by this instance alone. */
  ledger?: RequestLedger;
  /** Further secrets that no error may repeat: those of the other peers. */
  secrets?: () => string[];
  clock: Clock;
  /** Proxies and trusted authorities; default: what the environment says. */
  network?: Network;
  timeouts?: Timeouts;
  /** Replaces the transport; the budget is still spent. */
  http?: Http;
  log: Log;
}

/**
 * Plane stamps items before it commits them, and a background worker stamps them again: about 0.1 s later, or minutes when it
 * is busy.
 */
const maxStampDelayMs = 3 * 60_000;

/** Plane Community Edition 0.28 and newer. */
export function createPlane(options: PlaneOptions): Tracker {
  const { url, clock, token } = options;
  const budget = createRequestBudget(options.requestsPerMinute, options.ledger ?? memoryLedger(() => clock.now()));
  const errors = createPeerErrors({
    peer: 'plane',
    label: 'Plane',
    url,
    secrets: () => [token(), ...(options.secrets?.() ?? [])],
    now: () => clock.now(),
  });
  const replaced = options.http;
  const http: Http =
    replaced === undefined
      ? createHttp({
          errors,
          beforeTry: () => budget.take(),
          ...(options.network === undefined ? {} : { network: options.network }),
          circuit: { clock, placeOf: /\/projects\/[^/]+\// },
          ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
        })
      : async (request) => {
          await budget.take();
          return replaced(request);
        };
  const api = createPlaneApi({ url, workspace: options.workspace, token, http, errors, budget, log: options.log });
  const projects = createProjects(api);
  return {
    product: 'Plane',
    maxStampDelayMs,
    stateFor,
    ...projects,
    ...createItems(api),
    ...createComments(api, projects.me),
    remaining: () => budget.remaining(),
    release: () => budget.release(),
  };
}
