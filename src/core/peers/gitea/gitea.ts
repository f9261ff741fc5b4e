import type { Forge } from '../../model/index.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Network } from '../../platform/network.ts';
import type { Log } from '../../platform/log.ts';
import { Redactor } from '../../platform/redact.ts';
import { createHttp, defaultTimeouts } from '../http/client.ts';
import type { Timeouts } from '../http/client.ts';
import { createPeerErrors } from '../http/errors.ts';
import { createGiteaApi } from './api.ts';
import { createFeedback } from './feedback.ts';
import { createMerge } from './merge.ts';
import { createOpenPull } from './open-pull.ts';
import { createPulls } from './pulls.ts';
import { createRepos, loginOf } from './repos.ts';
import { createReviews } from './reviews.ts';
import { createStatuses } from './statuses.ts';

/** A pull request is stamped after its head has moved, 0.3 to 0.9 s later; more where the server is busy. */
const maxStampDelayMs = 60_000;
/** Stamps have a resolution of one second; some more for the difference of the clocks. */
const stampResolutionMs = 3_000;

export interface GiteaOptions {
  url: string;
  /** Read at every request, so that a renewed token needs no restart. */
  token: () => string;
  /** A second account for reviews, or null (spec 5). */
  reviewerToken: (() => string) | null;
  /** Further secrets that no error may repeat: those of the other peers. */
  secrets?: () => string[];
  /** Proxies and trusted authorities; default: what the environment says. */
  network?: Network;
  timeouts?: Timeouts;
  /** Milliseconds; default 5 minutes: giving up on a merge tears the pull request (see `createMerge`). */
  mergeTimeoutMs?: number;
  clock?: Clock;
  log: Log;
}

const defaultMergeTimeoutMs = 300_000;

/** Gitea 1.22 and newer, Forgejo 11 and newer. */
export function createGitea(options: GiteaOptions): Forge {
  const { url, token, reviewerToken } = options;
  const clock = options.clock ?? systemClock;
  const timeouts = options.timeouts ?? defaultTimeouts;
  const own = (): string[] => (reviewerToken === null ? [token()] : [token(), reviewerToken()]);
  const secrets = (): string[] => [...own(), ...(options.secrets?.() ?? [])];
  const errors = createPeerErrors({ peer: 'gitea', label: 'Gitea', url, secrets, now: () => clock.now() });
  // The list of pull requests by itself: strangers can make it so large that it does not come in time.
  const circuit = { clock, placeOf: /\/repos\/[^/]+\/[^/]+(?:\/pulls$)?/ };
  const shared = { errors, circuit, ...(options.network === undefined ? {} : { network: options.network }) };
  const http = createHttp({ ...shared, timeouts });
  const patient = createHttp({
    ...shared,
    timeouts: { ...timeouts, writeMs: options.mergeTimeoutMs ?? defaultMergeTimeoutMs },
  });
  const api = createGiteaApi({ url, token, http, errors });
  const reviewer = reviewerToken === null ? api : createGiteaApi({ url, token: reviewerToken, http, errors });
  const repos = createRepos(api);
  const reviewerAccount = loginOf(reviewer);
  return {
    product: 'Gitea',
    maxStampDelayMs,
    stampResolutionMs,
    ...repos,
    ...createPulls(api, repos.repo),
    ...createReviews(api, reviewer, reviewerAccount),
    ...createFeedback(api, loginOf(api), (text) => new Redactor(secrets()).redact(text)),
    openPull: createOpenPull(api, options.log),
    statuses: createStatuses(api),
    merge: createMerge(createGiteaApi({ url, token, http: patient, errors })),
    hasReviewer: () => reviewerToken !== null,
    reviewerLogin: async () => (reviewerToken === null ? null : reviewerAccount()),
  };
}
