import type { Branch, Repository as KnownRepository, ServerVersion, User } from 'gitea-js';
import { OrchError, parseRepoSlug } from '../../model/index.ts';
import type { Forge, Repository, RepoSlug } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import type { HttpAnswer } from '../http/types.ts';
import { segment, slashed } from '../http/paths.ts';
import type { GiteaApi } from './api.ts';

/** gitea-js does not know every field that the servers answer. */
type GiteaRepository = KnownRepository & { allow_manual_merge?: boolean; object_format_name?: string };

type RepoPort = Pick<Forge, 'me' | 'version' | 'repo' | 'findRepo' | 'protection'>;

/** Owner and name, encoded: gitea-js puts path parameters in as they are. */
export function ownerAndName(repo: RepoSlug): [owner: string, name: string] {
  const [owner = '', name = ''] = repo.split('/');
  return [segment(owner), segment(name)];
}

/** Asks once whose token it is; a failure is asked again. */
export function loginOf(api: GiteaApi): () => Promise<string> {
  const account = createRepos(api);
  let known: string | null = null;
  return async () => (known ??= (await account.me()).login);
}

/** The account, the version, the repository and what protects a branch. */
export function createRepos(api: GiteaApi): RepoPort {
  const repo: Forge['repo'] = async (slug) => {
    const answer = await api.send((client) => client.repos.repoGet(...ownerAndName(slug)));
    return repoOf(api.decoder(answer).record<GiteaRepository>(api.accept(answer), 'repository'));
  };
  return {
    repo,
    findRepo: async (slug) => {
      const answer = await api.send((client) => client.repos.repoGet(...ownerAndName(slug)));
      const now = answer.status === 301 || answer.status === 307 ? renamedTo(answer) : slug;
      if (now === null || isMissing(api, answer)) return null;
      return repo(now);
    },
    me: async () => {
      const answer = await api.send((client) => client.user.userGetCurrent());
      return { login: api.decoder(answer).record<User>(api.accept(answer), 'user').id('login') };
    },
    version: async () => {
      const answer = await api.send((client) => client.version.getVersion());
      return api.decoder(answer).record<ServerVersion>(api.accept(answer), 'version').id('version');
    },
    protection: async (slug, branch) => {
      const answer = await api.send((client) => client.repos.repoGetBranch(...ownerAndName(slug), slashed(branch)));
      if (await isMissingIn(api, repo, slug, answer.status, () => api.failure(answer))) return null;
      const fields = api.decoder(answer).record<Branch>(api.accept(answer), 'branch');
      return {
        protected: fields.flag('protected'),
        requiredApprovals: fields.integerOrNull('required_approvals') ?? 0,
        statusCheck: fields.flag('enable_status_check'),
        contexts: fields.texts('status_check_contexts'),
        canPush: fields.flag('user_can_push'),
        canMerge: fields.flag('user_can_merge'),
      };
    },
  };
}

/** The name in a redirect, which is not followed: only the name is taken from it, and asked for at the configured address. */
function renamedTo({ headers }: HttpAnswer): RepoSlug | null {
  const match = /\/api\/v1\/repos\/([^/?#]+)\/([^/?#]+)$/.exec(headers['location'] ?? '');
  try {
    return match === null ? null : parseRepoSlug(`${match[1]}/${match[2]}`);
  } catch {
    return null;
  }
}

function isMissing(api: GiteaApi, answer: HttpAnswer): boolean {
  return answer.status === 404 && api.failure(answer).code === 'gitea_not_found';
}

/**
 * Whether a 404 speaks of the thing and not of its repository: a token that lost its rights sees 404 everywhere, and
 * that must not be taken for "the pull request is gone". @throws OrchError `gitea_not_found` about the repository
 */
export async function isMissingIn(
  api: GiteaApi,
  repo: Forge['repo'],
  slug: RepoSlug,
  status: number,
  failure: () => OrchError,
): Promise<boolean> {
  if (status !== 404) return false;
  const error = failure();
  if (error.code !== 'gitea_not_found') throw error;
  await repo(slug);
  return true;
}

function repoOf(fields: Fields<GiteaRepository>): Repository {
  const styles: [key: keyof GiteaRepository, style: string][] = [
    ['allow_merge_commits', 'merge'],
    ['allow_rebase', 'rebase'],
    ['allow_rebase_explicit', 'rebase-merge'],
    ['allow_squash_merge', 'squash'],
    ['allow_fast_forward_only_merge', 'fast-forward-only'],
  ];
  return {
    id: fields.integer('id'),
    slug: slugOf(fields),
    defaultBranch: fields.textOrNull('default_branch') ?? '',
    empty: fields.flag('empty'),
    archived: fields.flag('archived'),
    mirror: fields.flag('mirror'),
    // Gitea 1.22 and later; before, and in Forgejo 1.x, there was SHA-1 only.
    isSha256: fields.textOrNull('object_format_name') === 'sha256',
    canPush: fields.objectOrNull('permissions')?.flag('push') ?? false,
    allowsManualMerge: fields.flag('allow_manual_merge'),
    mergeStyles: styles.filter(([key]) => fields.flag(key)).map(([, style]) => style),
  };
}

function slugOf(fields: Fields<GiteaRepository>): RepoSlug {
  try {
    return parseRepoSlug(fields.text('full_name'));
  } catch (error) {
    if (error instanceof OrchError && error.code === 'bad_repo') throw fields.wrong('full_name', 'owner/name');
    throw error;
  }
}
