import type { CommitSha } from '../model/index.ts';
import type { ObjectReader } from './object-reader.ts';

/** How many commits are looked at, one by one, before git is asked: what orch asks for is mostly a few commits back. */
const nearby = 30;

/**
 * Whether a commit is an ancestor of another one, as far as a short walk can tell; null: it cannot. A commit is its own
 * ancestor.
 */
export async function nearAncestor(
  objects: ObjectReader,
  ancestor: CommitSha,
  descendant: CommitSha,
): Promise<boolean | null> {
  if ((await objects.info(`${ancestor}^{commit}`)) === null) return null;
  const found = await walk(objects, descendant, ancestor);
  if (found !== null) return found;
  // The other way round: no commit is an ancestor of its own ancestor.
  return (await walk(objects, ancestor, descendant)) === true ? false : null;
}

/** Looks for a commit behind another one: true or false, or null when it was not met before the walk got long. */
async function walk(objects: ObjectReader, from: string, wanted: string): Promise<boolean | null> {
  const seen = new Set([from]);
  for (const sha of seen) {
    if (sha === wanted) return true;
    if (seen.size > nearby) return null;
    const bytes = await objects.contents(`${sha}^{commit}`);
    if (bytes === null) return null;
    for (const parent of parentsOf(bytes)) seen.add(parent);
  }
  return seen.has(wanted);
}

function parentsOf(commit: Buffer): string[] {
  const text = commit.toString('latin1');
  const head = text.slice(0, text.indexOf('\n\n'));
  return [...head.matchAll(/^parent ([0-9a-f]{40})$/gm)].map((match) => match[1] ?? '');
}
