import { existsSync } from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommitSha, RepoSlug } from '../model/index.ts';
import { isCommitSha } from '../model/index.ts';
import type { Bare } from './bare.ts';
import { runGit } from './run.ts';

/** More merges in one run than this are not looked through. */
const mostMerges = 100;

/**
 * Commits that the agent merged into its work and that are on the server already, such as the base branch's head: kept
 * as parents, so that a merged base stays merged. Only hints are taken from the workspace's own `.git`; each is believed
 * only when the bare copy, which the agent cannot write to, has that commit on a branch of the server.
 */
export async function foreignParents(
  bare: Bare,
  repo: RepoSlug,
  folder: string,
  base: CommitSha,
): Promise<CommitSha[]> {
  const gitFolder = path.join(folder, '.git');
  const isFolder = existsSync(gitFolder) && (await lstat(gitFolder)).isDirectory();
  if (!isFolder) return [];
  const hints = new Set<string>(await mergesIn(bare, gitFolder, base));
  const open = await readFile(path.join(gitFolder, 'MERGE_HEAD'), 'utf8').catch(() => '');
  for (const line of open.split('\n')) hints.add(line.trim());
  const parents: CommitSha[] = [];
  for (const hint of hints) {
    if (!isCommitSha(hint) || !(await onServer(bare, repo, hint))) continue;
    const known = await bare.run(repo, ['merge-base', '--is-ancestor', hint, base], { answers: [0, 1, 128] });
    if (known.code === 1) parents.push(hint);
  }
  return independent(bare, repo, parents);
}

async function mergesIn(bare: Bare, gitFolder: string, base: CommitSha): Promise<string[]> {
  const answer = await runGit({
    args: [
      '--git-dir',
      gitFolder,
      'rev-list',
      '--parents',
      `--max-count=${mostMerges}`,
      '--merges',
      'HEAD',
      '--not',
      base,
      '--',
    ],
    timeoutMs: bare.timeouts.gitMs,
    answers: [0, 128, 129],
  });
  return answer.code === 0 ? answer.stdout.split('\n').flatMap((line) => line.trim().split(' ').slice(2)) : [];
}

async function onServer(bare: Bare, repo: RepoSlug, sha: CommitSha): Promise<boolean> {
  const answer = await bare.run(
    repo,
    ['for-each-ref', '--count=1', '--format=%(refname)', `--contains=${sha}`, 'refs/heads/'],
    { answers: [0, 128, 129] },
  );
  return answer.code === 0 && answer.stdout.trim() !== '';
}

/** Without those that others contain already. */
async function independent(bare: Bare, repo: RepoSlug, parents: CommitSha[]): Promise<CommitSha[]> {
  if (parents.length < 2) return parents;
  const out = (await bare.run(repo, ['merge-base', '--independent', ...parents])).stdout;
  return out.split('\n').filter((line): line is CommitSha => isCommitSha(line));
}
