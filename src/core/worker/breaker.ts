import type { AgentBreaker, RunId, RunOutcome } from '../model/index.ts';
import {
  admission,
  afterLoginCheck,
  afterOutcome,
  beginProbe,
  closeByHand,
  dropProbe,
  type BreakerChange,
} from '../queue/breaker.ts';
import { ownerState } from '../platform/processes.ts';
import { retryPolicies } from '../platform/retry.ts';
import type { WorkerDeps } from './deps.ts';

/** Two workers may change the breaker at one moment; a version that moved is read again. */
const maxTries = 8;

const { login, probe, usageLimit } = retryPolicies;

/** The circuit breaker in the database, as one worker uses it; keeps only when it last asked for the login. */
export interface SharedBreaker {
  /**
   * Whether an agent may be started now. `probe`: this claim is the one probe of an open breaker, reserved under the
   * worker's name; it must be given to a run with `assign`, or dropped with `assign(null)`.
   */
  admit(): Promise<{ kind: 'go' } | { kind: 'probe' } | { kind: 'wait'; until: number | null }>;
  assign(runId: RunId | null): Promise<void>;
  /** Reports what an agent's process came to. */
  report(runId: RunId, outcome: RunOutcome): Promise<void>;
  /** Frees a probe that will never report, so that the breaker does not stay half-open forever. */
  freeLostProbe(): Promise<void>;
  /** A run that started no process says nothing about the service; if it was the probe, another one may try. */
  withdraw(runId: RunId): Promise<void>;
}

/** Name under which a claiming worker reserves the probe before it has a run. */
const reserved = 'claim:';
const reservation = (owner: string): string => `${reserved}${owner}`;

/**
 * Whether the breaker waits for a probe that will never report: its run is settled or unknown, or the worker that reserved
 * it died before it had claimed anything.
 */
export async function probeVanished(deps: Pick<WorkerDeps, 'store' | 'host'>, breaker: AgentBreaker): Promise<boolean> {
  if (breaker.state !== 'half_open') return false;
  if (breaker.probe === null) return true;
  // A reservation lasts milliseconds: one whose owner cannot be seen from here is taken for lost, not waited for.
  if (breaker.probe.startsWith(reserved))
    return ownerState(breaker.probe.slice(reserved.length), deps.host) !== 'alive';
  const run = await deps.store.run(breaker.probe as RunId);
  return run === null || run.phase === 'settled';
}

/** Changes the breaker under its version; the change is computed again when another worker was first. */
async function changeBreaker(
  deps: Pick<WorkerDeps, 'store' | 'announce'>,
  change: (breaker: AgentBreaker) => BreakerChange | null,
): Promise<BreakerChange | null> {
  for (let n = 0; n < maxTries; n++) {
    const breaker = await deps.store.agentBreaker();
    const next = change(breaker);
    if (next === null) return null;
    if ((await deps.store.setAgentBreaker(next.breaker)) === 'stale') continue;
    if (next.alert !== null) {
      const notice = { taskId: null, title: '', body: next.alert, links: {} };
      await deps.announce(`${next.alert.event}:${breaker.version}`, notice);
    }
    return next;
  }
  return null;
}

/** Closes the breaker on a person's word; answers what it was before, or null when agents may start already. */
export async function resumeAgents(deps: Pick<WorkerDeps, 'store' | 'announce'>): Promise<AgentBreaker | null> {
  let before: AgentBreaker | null = null;
  const change = await changeBreaker(deps, (breaker) => {
    before = breaker;
    return closeByHand(breaker);
  });
  return change === null ? null : before;
}

export function createSharedBreaker(deps: WorkerDeps): SharedBreaker {
  const { store } = deps;
  const policy = { ...deps.config.breaker, unknownResetMs: usageLimit.unknownResetMs };
  let loginAskedAt = Number.NEGATIVE_INFINITY;

  async function checkLogin(): Promise<boolean> {
    if (deps.monotonic() - loginAskedAt < login.checkMs) return false;
    loginAskedAt = deps.monotonic();
    const loggedIn = await deps.launcher.loggedIn();
    const change = await changeBreaker(deps, (breaker) =>
      afterLoginCheck(breaker, loggedIn, store.now(), login.blindProbeMs),
    );
    return change?.breaker.state === 'closed';
  }

  return {
    async admit() {
      const breaker = await store.agentBreaker();
      const allowed = admission(breaker, store.now());
      if (allowed.kind === 'go') return allowed;
      if (breaker.reason === 'authentication' && breaker.state === 'open' && (await checkLogin()))
        return { kind: 'go' };
      if (allowed.kind !== 'probe' || !(await store.hasDueJob(deps.projects)))
        return { kind: 'wait', until: breaker.state === 'open' ? breaker.until : null };
      // Reserved before the claim: a claimed job could not be given back without spending one of the task's runs.
      const mine = await changeBreaker(deps, (now) =>
        admission(now, store.now()).kind === 'probe' ? beginProbe(now, reservation(deps.owner)) : null,
      );
      return mine === null ? { kind: 'wait', until: null } : allowed;
    },
    async assign(runId) {
      await changeBreaker(deps, (breaker) => {
        if (breaker.probe !== reservation(deps.owner)) return null;
        return runId === null ? dropProbe(breaker, store.now() + probe.againMs) : beginProbe(breaker, runId);
      });
    },
    async report(runId, outcome) {
      await changeBreaker(deps, (breaker) => afterOutcome(breaker, runId, outcome, store.now(), policy));
    },
    async freeLostProbe() {
      const seen = await store.agentBreaker();
      if (!(await probeVanished(deps, seen))) return;
      await changeBreaker(deps, (breaker) =>
        breaker.version === seen.version ? dropProbe(breaker, store.now()) : null,
      );
    },
    async withdraw(runId) {
      await changeBreaker(deps, (breaker) =>
        breaker.probe === runId ? dropProbe(breaker, store.now() + probe.againMs) : null,
      );
    },
  };
}
