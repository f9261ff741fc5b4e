import { OrchError } from '../model/index.ts';

/** A branch name that git takes and that cannot be read as an option. @throws OrchError `bad_branch` */
export function safeBranch(branch: string): string {
  const bad =
    branch === '' ||
    branch.length > 200 ||
    /^[-/.]|\.\.|@\{|[\s~^:?*[\\\u0000-\u001f\u007f]|\/\/|\/\.|\.lock(\/|$)|[/.]$/.test(branch);
  if (bad) throw new OrchError(`"${branch}" is not a branch name`, { code: 'bad_branch' });
  return branch;
}

/** A path within the repository, not of git's own. @throws OrchError `bad_path` */
export function safePath(path: string): string {
  const bad =
    path.includes('\0') || path.split('/').some((part) => ['', '.', '..', '.git'].includes(part.toLowerCase()));
  if (bad) throw new OrchError(`"${path}" is no path for a file of a repository`, { code: 'bad_path' });
  return path;
}
