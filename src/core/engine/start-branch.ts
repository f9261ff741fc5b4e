import type { DeliveryOf, EffectOf, GitPort, LinkedPolicy, ProjectId, Tracker } from '../model/index.ts';
import { retryPolicies } from '../platform/retry.ts';
import { databaseTrailer, itemTrailer } from '../pipeline/trailers.ts';
import { branchOwner } from './evidence.ts';
import { markdownOf } from '../pipeline/html/markdown.ts';
import { businessRequest as requestFile } from '../pipeline/artifacts.ts';

export interface StartBranchDeps {
  /** Identity of the database. */
  database: string;
  git: GitPort;
  tracker: Tracker;
  policyOf: (effect: { projectId: ProjectId }) => Pick<LinkedPolicy, 'links'> | null;
}

/**
 * Makes the task's branch and its first commit with one git push on top of the base branch (spec 4.1). Found again by the
 * trailer of that commit when the push had landed before a crash.
 */
export async function startBranch(
  body: EffectOf<'git.start_branch'>,
  deps: StartBranchDeps,
): Promise<DeliveryOf<'git.start_branch'>> {
  const { git } = deps;
  await git.fetch(body.repo, [body.baseBranch, body.branch]);
  const base = await git.head(body.repo, body.baseBranch);
  if (base === null) return { kind: 'dead', error: `${body.repo} has no branch ${body.baseBranch}` };
  const existing = await git.head(body.repo, body.branch);
  if (existing !== null) {
    if ((await branchOwner(body, base, existing, git, deps.database)) === 'other') {
      return {
        kind: 'dead',
        error: `branch ${body.branch} exists and was not begun for this work item`,
        result: { reason: 'branch_exists' },
      };
    }
    return { kind: 'done', result: { sha: existing, codeTree: await git.codeTree(body.repo, existing, body.folder) } };
  }
  const item = await deps.tracker.item(body.projectId, body.itemId);
  if (item === null) return { kind: 'dead', error: 'the work item is gone' };
  const url = deps.policyOf(body)?.links.item(body.projectId, body.itemId) ?? '';
  const content = businessRequest(body.taskId, item.name, url, item.descriptionHtml ?? '');
  const message = `docs(${body.taskId}): business request\n\nOrch-Task: ${body.taskId}\n${itemTrailer(body.itemId)}\n${databaseTrailer(deps.database)}\n`;
  const sha = await git.commitFiles(body.repo, base, [{ path: `${body.folder}/${requestFile}`, content }], message);
  const pushed = await git.push(body.repo, sha, body.branch, null);
  if (pushed === 'moved')
    return { kind: 'retry', error: `branch ${body.branch} appeared meanwhile`, afterMs: retryPolicies.effect.raceMs };
  return { kind: 'done', result: { sha, codeTree: await git.codeTree(body.repo, sha, body.folder) } };
}

function businessRequest(id: string, title: string, url: string, html: string): string {
  const oneLine = title.replace(/\s+/g, ' ').trim();
  return `# ${id}: ${oneLine}\n\n${url === '' ? '' : `Work item: <${url}>\n\n`}${markdownOf(html, { file: true })}\n`;
}
