import type { AgentSettings, Role, TaskId } from '../model/index.ts';
import { approvedDocuments, documentFolder, documentsRoot } from '../pipeline/artifacts.ts';
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

/** Whether a path is in the folder of another task, or takes its place; a file such as an index may stand next to them. */
function isAnothers(file: string, own: string | null): boolean {
  if (!covers(documentsRoot, file) || (own !== null && covers(own, file))) return false;
  const [name = '', ...below] = file.slice(documentsRoot.length + 1).split('/');
  return below.length > 0 || !name.includes('.');
}

/** The role whose documents people approve. */
const approvedRole = 'analyst';

/**
 * What a role may change (spec 7): everyone the task's own folder; the developer everything but the protected paths;
 * `commitPaths` instead of both where configured. Whatever is configured, other tasks' folders, orders and git's own files
 * belong to nobody, and what a person approves only to the analyst. A run that belongs to no task has all of `docs/` but the
 * tasks' folders.
 */
export function scopeOf(
  role: Role,
  taskId: TaskId | null,
  settings: Pick<AgentSettings, 'commitPaths' | 'protectedPaths'>,
): (path: string) => boolean {
  const own = taskId === null ? null : documentFolder(taskId);
  const usual = roleFacts(role).writesCode ? ['**'] : [own ?? 'docs/'];
  const allowed = (settings.commitPaths ?? usual).map((entry) => entry.replaceAll('{task}', taskId ?? 'none'));
  const approved = own === null || role === approvedRole ? [] : approvedDocuments.map((name) => `${own}/${name}`);
  const denied = ['.orch/', '.git/', ...approved, ...settings.protectedPaths];
  return (file) =>
    isPlain(file) &&
    allowed.some((entry) => covers(entry, file)) &&
    !denied.some((entry) => covers(entry, file)) &&
    !isAnothers(file, own);
}
