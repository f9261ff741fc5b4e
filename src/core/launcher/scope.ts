import type { AgentSettings, Role, TaskId } from '../model/index.ts';
import { roleFacts } from '../pipeline/stages/index.ts';

/** Whether a path is the entry itself or lies below it; `docs`, `docs/` and `docs/**` all mean the folder. */
function covers(entry: string, file: string): boolean {
  const base = entry.replace(/^\.\//, '').replace(/\/?\*{0,2}$/, '');
  return base === '' || file === base || file.startsWith(`${base}/`);
}

/** A path as git prints it, relative to the root: anything that could point elsewhere is nobody's. */
function isPlain(file: string): boolean {
  return (
    file !== '' &&
    !file.startsWith('/') &&
    file.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/**
 * What a role may change (spec 7): everyone `docs/`, which holds the task's folder; the developer everything but the
 * protected paths; `commitPaths` instead of both where configured. Orders and git's own files belong to nobody.
 */
export function scopeOf(
  role: Role,
  taskId: TaskId | null,
  settings: Pick<AgentSettings, 'commitPaths' | 'protectedPaths'>,
): (path: string) => boolean {
  const usual = roleFacts(role).writesCode ? ['**'] : ['docs/'];
  const allowed = (settings.commitPaths ?? usual).map((entry) => entry.replaceAll('{task}', taskId ?? 'none'));
  const denied = ['.orch/', '.git/', ...settings.protectedPaths];
  return (file) =>
    isPlain(file) && allowed.some((entry) => covers(entry, file)) && !denied.some((entry) => covers(entry, file));
}
