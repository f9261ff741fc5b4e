import type { AgentGate, RunId, RunOutcome } from '../model/index.ts';
import {
  admission,
  afterLoginCheck,
  afterOutcome,
  beginProbe,
  dropProbe,
  type GateChange,
} from '../pipeline/breaker.ts';
import { ownerState } from '../platform/processes.ts';
import type { WorkerDeps } from './deps.ts';

/** How often the account is asked for while the gate is closed for a missing login, milliseconds. */
const loginCheckMs = 30_000;
/** A probe that found nothing to run, or never started, tries again after this, milliseconds. */
const probeAgainMs = 10_000;
/** Two workers may change the gate at one moment; a version that moved is read again. */
const tries = 8;

/** The agents' breaker in the database, as one worker uses it; keeps only when it last asked for the login. */
export interface SharedBreaker {
  /**
   * Whether an agent may be started now. `probe`: this claim is the one probe of a closed gate, reserved under the
   * worker's name; it must be given to a run with `assign`, or dropped with `assign(null)`.
   */
  admit(): Promise<'go' | 'probe' | 'wait'>;
  assign(runId: RunId | null): Promise<void>;
  /** Reports what an agent's process came to. */
  report(runId: RunId, outcome: RunOutcome): Promise<void>;
  /** Frees a probe that will never report, so that the gate does not stay shut for ever. */
  freeLostProbe(): Promise<void>;
  /** A run that started no process says nothing about the service; if it was the probe, another one may try. */
  withdraw(runId: RunId): Promise<void>;
}

/** Name under which a claiming worker reserves the probe before it has a run. */
const reserved = 'claim:';
const reservation = (owner: string): string => `${reserved}${owner}`;

/**
 * Whether the gate waits for a probe that will never report: its run is settled or unknown, or the worker that reserved
 * it died before it had claimed anything.
 */
export async function probeVanished(deps: Pick<WorkerDeps, 'store' | 'host'>, gate: AgentGate): Promise<boolean> {
  if (gate.state !== 'probing') return false;
  if (gate.probe === null) return true;
  // A reservation lasts milliseconds: one whose owner cannot be seen from here is better taken for lost than waited for.
  if (gate.probe.startsWith(reserved)) return ownerState(gate.probe.slice(reserved.length), deps.host) !== 'alive';
  const run = await deps.store.run(gate.probe as RunId);
  return run === null || run.phase === 'settled';
}

/** Changes the gate under its version; the change is computed again when another worker was first. */
async function changeGate(
  deps: Pick<WorkerDeps, 'store' | 'announce'>,
  change: (gate: AgentGate) => GateChange | null,
): Promise<GateChange | null> {
  for (let n = 0; n < tries; n++) {
    const gate = await deps.store.agentGate();
    const next = change(gate);
    if (next === null) return null;
    if ((await deps.store.setAgentGate(next.gate)) === 'stale') continue;
    if (next.alert !== null) {
      const notice = { taskId: null, title: '', body: next.alert, links: {} };
      await deps.announce(`agent_gate:${next.alert.event}:${gate.version}`, notice);
    }
    return next;
  }
  return null;
}

export function createSharedBreaker(deps: WorkerDeps): SharedBreaker {
  const { store } = deps;
  let loginAskedAt = Number.NEGATIVE_INFINITY;

  async function checkLogin(): Promise<boolean> {
    if (deps.monotonic() - loginAskedAt < loginCheckMs) return false;
    loginAskedAt = deps.monotonic();
    const loggedIn = await deps.launcher.loggedIn();
    const change = await changeGate(deps, (gate) => afterLoginCheck(gate, loggedIn, store.now()));
    return change?.gate.state === 'open';
  }

  return {
    async admit() {
      const gate = await store.agentGate();
      const allowed = admission(gate, store.now());
      if (allowed.kind === 'go') return 'go';
      if (gate.reason === 'authentication' && gate.state === 'closed' && (await checkLogin())) return 'go';
      if (allowed.kind !== 'probe' || !(await store.hasDueJob())) return 'wait';
      // Reserved before the claim: a claimed job could not be given back without spending one of the task's runs.
      const mine = await changeGate(deps, (now) =>
        admission(now, store.now()).kind === 'probe' ? beginProbe(now, reservation(deps.owner)) : null,
      );
      return mine === null ? 'wait' : 'probe';
    },
    async assign(runId) {
      await changeGate(deps, (gate) => {
        if (gate.probe !== reservation(deps.owner)) return null;
        return runId === null ? dropProbe(gate, store.now() + probeAgainMs) : beginProbe(gate, runId);
      });
    },
    async report(runId, outcome) {
      await changeGate(deps, (gate) => afterOutcome(gate, runId, outcome, store.now(), deps.config.breaker));
    },
    async freeLostProbe() {
      const seen = await store.agentGate();
      if (!(await probeVanished(deps, seen))) return;
      await changeGate(deps, (gate) => (gate.version === seen.version ? dropProbe(gate, store.now()) : null));
    },
    async withdraw(runId) {
      await changeGate(deps, (gate) => (gate.probe === runId ? dropProbe(gate, store.now() + probeAgainMs) : null));
    },
  };
}
