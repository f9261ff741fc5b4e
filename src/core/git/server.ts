import type { CommitSha, GitIdentity, RepoSlug } from '../model/index.ts';
import { OrchError, parseCommitSha } from '../model/index.ts';
import { createCircuits } from '../platform/circuit.ts';
import { systemClock, type Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Network } from '../platform/network.ts';
import { retrying, retryPolicies } from '../platform/retry.ts';
import type { Bare, GitTimeouts } from './bare.ts';
import { commitOf } from './reads.ts';
import { branchesOf, readRef } from './refs.ts';
import { explainRemote, sha256 } from './remote-error.ts';
import { gitEnvironment } from './run.ts';

export interface GitOptions {
  reposDir: string;
  /** Address of a repository from configuration; never holds a credential. */
  remoteUrl: (repo: RepoSlug) => string;
  token: () => string;
  /** Further secrets that no error may repeat: those of the other peers. */
  secrets?: () => string[];
  identity: GitIdentity;
  timeouts: GitTimeouts;
  /** Proxies and trusted authorities; default: what the environment says. */
  network?: Network;
  clock?: Clock;
  log: Log;
}

/** Branches of the server and their heads. */
type Heads = Map<string, CommitSha>;

/** One repository's branches on the server, as this process saw them last. */
interface Listing {
  heads: Heads;
  /** When the question was asked, ms of `performance.now()`: what happened before is in the answer. */
  at: number;
}

/** The exchanges with the server. */
export interface Server {
  /** Asks the server now. */
  list(repo: RepoSlug): Promise<Heads>;
  /** The answer to the last such question of this process, however old; null: none was asked. */
  lastList(repo: RepoSlug): Heads | null;
  /** See `GitPort.fetch`. */
  fetch(repo: RepoSlug, branches: string[], since?: number): Promise<void>;
  /** See `GitPort.outdated`. */
  outdated(repo: RepoSlug): void;
  /** `git push` with these arguments. A push is followed by a look, so no circuit breaker is asked. */
  push(repo: RepoSlug, args: string[]): Promise<void>;
  url(repo: RepoSlug): string;
}

/**
 * git takes any page with status 200 for an old-fashioned repository without branches, a proxy's login page too. Taken as an
 * answer it would mean that every branch was deleted; a repository that orch works on has one at least.
 */
function listedNothing(repo: RepoSlug): OrchError {
  return new OrchError(`Gitea listed no branch of ${repo}: the repository is empty, or a page answers in its place`, {
    code: 'git_listed_nothing',
    hint: "Check that the configured address is Gitea's, that no proxy asks for a login, and that the base branch exists.",
  });
}

/**
 * curl tells whether bytes move, and ends a transfer in which none do. For what it cannot see (a program of git's that hangs)
 * there is a limit of this many times as long without any progress; curl takes up to a megabyte at once that git calls written.
 */
const silentFactor = 10;

const fetchArgs = ['--progress', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules'];

/** Another process's locks are held for moments. */
const isLocked = (error: unknown): boolean => error instanceof OrchError && error.code === 'git_locked';

export function createServer(options: GitOptions, bare: Bare): Server {
  const circuits = createCircuits(options.clock ?? systemClock);
  const listings = new Map<RepoSlug, Listing>();
  const turns = new Map<RepoSlug, Promise<void>>();
  const { gitMs, transferMs } = options.timeouts;
  const transfer = { timeoutMs: transferMs, silentMs: silentFactor * transferMs };

  /**
   * The token goes to git by environment only: not in arguments, addresses or files (spec 12); to this server only.
   * @param limits of time: what begins to move (`silentMs`) may last as long as it does
   */
  async function exchange(
    repo: RepoSlug,
    args: string[],
    limits: { timeoutMs: number; silentMs?: number },
  ): Promise<string> {
    const token = options.token();
    const basic = Buffer.from(`orch:${token}`).toString('base64');
    const { origin } = new URL(options.remoteUrl(repo));
    const env = {
      ...gitEnvironment([
        [`http.${origin}/.extraHeader`, `Authorization: Basic ${basic}`],
        ['http.lowSpeedLimit', '1'],
        ['http.lowSpeedTime', String(Math.ceil(limits.timeoutMs / 1000))],
      ]),
      ...options.network?.gitEnvironment(),
    };
    const explain = explainRemote(repo, args[0] ?? '', [basic, token, ...(options.secrets?.() ?? [])]);
    return (await bare.run(repo, args, { env, ...limits, explain })).stdout;
  }

  /** Reading: a repository that did not answer is not asked for a while. */
  function read(repo: RepoSlug, args: string[], limits: Parameters<typeof exchange>[2]): Promise<string> {
    return circuits.through(repo, () => exchange(repo, args, limits));
  }

  async function list(repo: RepoSlug): Promise<Heads> {
    const at = performance.now();
    const out = await read(repo, ['ls-remote', '--heads', '--', options.remoteUrl(repo)], { timeoutMs: gitMs });
    const heads: Heads = new Map();
    for (const line of out.split('\n')) {
      const match = /^([0-9a-f]{40})\trefs\/heads\/(.+)$/.exec(line);
      if (match?.[1] !== undefined && match[2] !== undefined)
        heads.set(Buffer.from(match[2], 'latin1').toString('utf8'), parseCommitSha(match[1]));
      else if (/^[0-9a-f]{64}\t/.test(line)) throw sha256(repo);
    }
    if (heads.size === 0) throw listedNothing(repo);
    if ((listings.get(repo)?.at ?? 0) <= at) listings.set(repo, { heads, at });
    return heads;
  }

  /** Takes the branches away that the server has no more: `feature` would stand in the way of `feature/x`. */
  async function prune(repo: RepoSlug, copy: string, heads: Heads, wanted: string[]): Promise<void> {
    const gone = [...(await branchesOf(copy))].filter(([name]) => !heads.has(name));
    if (gone.length === 0) return;
    const remove = (refs: [string, CommitSha][], answers: number[]): ReturnType<Bare['run']> =>
      bare.run(repo, ['update-ref', '--stdin'], {
        input: refs.map(([name, sha]) => `delete refs/heads/${name} ${sha}\n`).join(''),
        answers,
      });
    if ((await remove(gone, [0, 1, 128])).code === 0) return;
    // One of them has moved meanwhile or is held: it goes with the next look, unless somebody waits for it.
    const asked = gone.filter(([name]) => wanted.includes(name));
    if (asked.length > 0) await remove(asked, [0]);
  }

  async function bring(repo: RepoSlug, branches: string[], since: number): Promise<void> {
    const copy = await bare.ensure(repo);
    const known = listings.get(repo);
    let heads = known !== undefined && known.at >= since ? known.heads : null;
    const isGone = async (name: string): Promise<boolean> =>
      heads?.has(name) !== true && (await readRef(copy, `refs/heads/${name}`)) !== null;
    // Another process may have made such a branch since: asked again before it is taken away.
    for (const name of branches) if (heads !== null && (await isGone(name))) heads = null;
    if (heads === null) {
      heads = await list(repo);
      await prune(repo, copy, heads, branches);
    }
    const behind: string[] = [];
    for (const name of new Set(branches)) {
      const head = heads.get(name);
      if (head !== undefined && (await commitOf(bare, repo, `refs/heads/${name}`)) !== head) behind.push(name);
    }
    if (behind.length === 0) return;
    const refs = behind.map((name) => `+refs/heads/${name}:refs/heads/${name}`);
    await read(repo, ['fetch', ...fetchArgs, '--', options.remoteUrl(repo), ...refs], transfer);
  }

  /** One after the other for each repository: those who waited often find what the one before them brought. */
  function fetch(repo: RepoSlug, branches: string[], since = performance.now()): Promise<void> {
    const work = (): Promise<void> => retrying(retryPolicies.gitLock, isLocked, () => bring(repo, branches, since));
    const turn = (turns.get(repo) ?? Promise.resolve()).then(work, work);
    turns.set(repo, turn);
    return turn;
  }

  return {
    list,
    lastList: (repo) => listings.get(repo)?.heads ?? null,
    fetch,
    outdated: (repo) => void listings.delete(repo),
    push: async (repo, args) => void (await exchange(repo, ['push', '--progress', '--porcelain', ...args], transfer)),
    url: options.remoteUrl,
  };
}
