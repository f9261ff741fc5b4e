import type { StatusRow, Verdict } from '../../model/index.ts';
import { means } from './context-pattern.ts';

type Fold = 'pass' | 'fail' | 'pending';

/** What one context's newest status means: `skipped` passes unless the context is required (spec 3.1). */
function fold(row: StatusRow, required: boolean): Fold {
  switch (row.state) {
    case 'passed':
      return 'pass';
    case 'skipped':
      return required ? 'fail' : 'pass';
    case 'pending':
      return 'pending';
    case 'failed':
      return 'fail';
  }
}

/** Newest row per context: several may come in one second, the highest id is the newest. */
export function newestPerContext(rows: StatusRow[]): StatusRow[] {
  const newest = new Map<string, StatusRow>();
  for (const row of rows) {
    const known = newest.get(row.context);
    if (known === undefined || row.id > known.id) newest.set(row.context, row);
  }
  return [...newest.values()].sort((a, b) => a.context.localeCompare(b.context));
}

export function failedContexts(rows: StatusRow[], required: string[]): StatusRow[] {
  return newestPerContext(rows).filter(
    (row) => considered(row, required, means) && fold(row, required.length > 0) === 'fail',
  );
}

function considered(row: StatusRow, required: string[], matches: typeof means): boolean {
  return required.length === 0 || required.some((name) => matches(name, row.context));
}

/**
 * Commit statuses of commits that carry the head's code.
 * @param rows statuses of every commit whose code tree equals the head's
 * @param required names or patterns of the contexts that have to pass; empty: all that reported
 * @param matches whether a name or pattern means a context
 */
export function judgeCi(rows: StatusRow[], required: string[], codeTree: string, matches = means): Verdict {
  const newest = newestPerContext(rows).filter((row) => considered(row, required, matches));
  const subject = { code_tree: codeTree, ...Object.fromEntries(newest.map((row) => [row.context, row.state])) };
  const absent = required.filter((name) => !newest.some((row) => matches(name, row.context)));
  const failed = newest.filter((row) => fold(row, required.length > 0) === 'fail');
  if (failed.length > 0)
    return { status: 'fail', reason: `CI failed: ${failed.map((row) => row.context).join(', ')}`, subject };
  if (rows.length === 0 || (newest.length === 0 && required.length === 0))
    return { status: 'pending', reason: 'no CI status reported yet', subject };
  const open = [...newest.filter((row) => row.state === 'pending').map((row) => row.context), ...absent];
  if (open.length > 0) return { status: 'pending', reason: `CI has not finished: ${open.join(', ')}`, subject };
  return { status: 'pass', reason: `CI is green: ${newest.map((row) => row.context).join(', ')}`, subject };
}
