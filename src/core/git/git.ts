import type { CommitSha, GitPort, RepoSlug } from '../model/index.ts';
import { parseCommitSha } from '../model/index.ts';
import { renameFolder } from '../platform/files.ts';
import { createBare, identityEnv, type Bare } from './bare.ts';
import { bareLeftovers, isBroken, moveBroken } from './leftovers.ts';
import { safePath } from './names.ts';
import { isCrowded, packBare } from './packing.ts';
import { createPush } from './push.ts';
import { reads } from './reads.ts';
import { withIndex } from './scratch.ts';
import { createServer, type GitOptions } from './server.ts';

/** The bare copies and everything that talks to the server. `bare` is for the workspaces next to it. */
export function createGit(options: GitOptions): GitPort & { bare: Bare } {
  const bare = createBare(options);
  const read = reads(bare);
  const server = createServer(options, bare);

  async function commitFiles(
    repo: RepoSlug,
    parent: CommitSha,
    files: { path: string; content: string }[],
    message: string,
  ): Promise<CommitSha> {
    return withIndex(bare, repo, async (env) => {
      await bare.run(repo, ['read-tree', parent], { env });
      for (const file of files) {
        const blob = (await bare.run(repo, ['hash-object', '-w', '--stdin'], { input: file.content })).stdout.trim();
        await bare.run(repo, ['update-index', '-z', '--add', '--index-info'], {
          env,
          input: `100644 ${blob}\t${safePath(file.path)}\0`,
        });
      }
      const tree = (await bare.run(repo, ['write-tree'], { env })).stdout.trim();
      const made = await bare.run(repo, ['commit-tree', tree, '-p', parent, '-F', '-'], {
        env: identityEnv(options.identity),
        input: message,
      });
      return parseCommitSha(made.stdout.trim());
    });
  }

  return {
    bare,
    lsRemoteHeads: server.list,
    fetch: server.fetch,
    outdated: server.outdated,
    commitFiles,
    push: createPush(bare, server, read),
    crowded: (repo, now) => isCrowded(bare.pathOf(repo), now),
    pack: (repo, needed, now) => packBare(bare, repo, needed, now),
    leftovers: (before) => Promise.resolve(bareLeftovers(options.reposDir, before)),
    rename: (from, to) => Promise.resolve(renameFolder(bare.pathOf(from), bare.pathOf(to))),
    isBroken: (repo) => Promise.resolve(isBroken(bare.pathOf(repo))),
    moveBroken: (repo, now) => Promise.resolve(moveBroken(bare.pathOf(repo), now)),
    ...read,
  };
}
