import type { RunningJob } from '../model/index.ts';
import { ownerState } from '../platform/processes.ts';
import type { WorkerDeps } from './deps.ts';

/** How often the owners are looked at, milliseconds; a look is two small reads of /proc for each. */
const lookEveryMs = 40;

/** Notices that another worker of this host has died. */
export interface OwnerWatch {
  /** Looks from now on at whoever holds these runs. */
  follow(running: RunningJob[]): void;
  end(): void;
}

/**
 * Nobody is told when a process dies that is not its child, so as long as another process of this host holds a run, that
 * process is looked at; a worker that is alone here looks at nothing. Every owner's death is told once: what stands in
 * the way of an adoption then is met again by the slow scan.
 * @param onDeath called at the first look after an owner has died
 */
export function watchOwners({ host, owner }: Pick<WorkerDeps, 'host' | 'owner'>, onDeath: () => void): OwnerWatch {
  const told = new Set<string>();
  let others: string[] = [];
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    const dead = others.filter((other) => ownerState(other, host) === 'dead');
    if (dead.length === 0) return;
    for (const other of dead) told.add(other);
    watchAll(others.filter((other) => !told.has(other)));
    onDeath();
  }
  function watchAll(owners: string[]): void {
    others = owners;
    if (others.length === 0) {
      clearInterval(timer);
      timer = undefined;
    } else timer ??= setInterval(look, lookEveryMs);
  }
  return {
    follow: (running) => {
      const owners = new Set(running.map(({ lease }) => lease.owner));
      for (const other of told) if (!owners.has(other)) told.delete(other);
      watchAll([...owners].filter((other) => other !== owner && !told.has(other)));
    },
    end: () => watchAll([]),
  };
}
