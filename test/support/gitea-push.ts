import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { CommitSha, RepoSlug } from '../../src/core/model/index.ts';

const exec = promisify(execFile);

export interface GiteaUser {
  name: string;
  email: string;
  password: string;
  token: string;
}

export interface PushedChange {
  branch: string;
  from?: string;
  files: Record<string, string | null>;
  message?: string;
  /** Who pushes; the lead unless another is given. */
  user?: GiteaUser;
  force?: boolean;
}

/** Clones (or starts) the repository in a folder that is thrown away, commits on the branch, pushes. */
export async function pushChange(
  url: string,
  slug: RepoSlug,
  change: PushedChange,
  user: GiteaUser,
  home: string,
): Promise<CommitSha> {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-push-'));
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await exec('git', ['-C', folder, ...args], { env: gitEnv(url, user, home), timeout: 60_000 });
    return stdout.trim();
  };
  try {
    await git('init', '--quiet', '--initial-branch', 'none');
    await git('remote', 'add', 'origin', `${url}/${slug}.git`);
    await git('fetch', '--quiet', 'origin');
    const remote = (await git('branch', '-r', '--format', '%(refname:short)')).split('\n');
    const start = [change.branch, change.from ?? 'main'].find((branch) => remote.includes(`origin/${branch}`));
    await git(
      ...(start === undefined
        ? ['checkout', '--quiet', '--orphan', change.branch]
        : ['checkout', '--quiet', '-B', change.branch, `origin/${start}`]),
    );
    for (const [name, content] of Object.entries(change.files)) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      if (content === null) rmSync(file, { force: true });
      else writeFileSync(file, content);
    }
    await git('add', '--all');
    await git('commit', '--quiet', '--allow-empty', '--message', change.message ?? `change ${change.branch}`);
    await git(
      'push',
      '--quiet',
      ...(change.force === true ? ['--force'] : []),
      'origin',
      `HEAD:refs/heads/${change.branch}`,
    );
    return (await git('rev-parse', 'HEAD')) as CommitSha;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Environment for git with a user's token, which stays out of arguments, URLs and files. */
function gitEnv(url: string, user: GiteaUser, home: string): Record<string, string> {
  const basic = Buffer.from(`${user.name}:${user.token}`).toString('base64');
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: user.name,
    GIT_AUTHOR_EMAIL: user.email,
    GIT_COMMITTER_NAME: user.name,
    GIT_COMMITTER_EMAIL: user.email,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${url}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  };
}
