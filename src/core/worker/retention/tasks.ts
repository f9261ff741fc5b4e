import { existsSync } from 'node:fs';
import type { Task } from '../../model/index.ts';
import type { RepairDeps } from '../repairs/repair.ts';

/** More ended tasks than this are not looked at in one pass; those that ended first go first. */
export const allTasks = 100_000;

/** Rows of effects without a task that go in one transaction. */
const effectsAtOnce = 500;

/** Whether what a pass has done is enough for now; the rest is left to the next one. */
type Enough = () => boolean;

/** Tasks that ended so long ago that their rows may be packed. One whose workspace is still there waits for that. */
export async function tasksToPack(deps: RepairDeps): Promise<Task[]> {
  const ended = await deps.store.endedTasks(deps.store.now() - deps.taskRetentionMs, allTasks);
  return ended.filter(({ repo, branch }) => !existsSync(deps.workspaces.pathOf(repo, branch)));
}

/** Packs them, one a transaction. Answers how many; what still has something to do is passed over. */
export async function packTasks(
  tasks: Task[],
  { store, taskRetentionMs }: RepairDeps,
  enough: Enough,
): Promise<number> {
  let packed = 0;
  for (const { id } of tasks) {
    if (enough()) break;
    if (await store.packTask(id, store.now() - taskRetentionMs)) packed += 1;
  }
  return packed;
}

/** Drops notices that belong to no task, such as those of the circuit breaker, once they were delivered long ago. Answers how many. */
export async function dropNotices({ store, taskRetentionMs }: RepairDeps, enough: Enough): Promise<number> {
  let dropped = 0;
  for (let n = effectsAtOnce; n === effectsAtOnce && !enough(); dropped += n)
    n = await store.forgetEffects(store.now() - taskRetentionMs, effectsAtOnce);
  return dropped;
}
