import { createHash } from 'node:crypto';
import type {
  CommitSha,
  Delivery,
  Effect,
  Forge,
  GitPort,
  ItemMirror,
  Mirror,
  PrMirror,
  ProjectPolicy,
  Protection,
  ReviewRow,
  StatusRow,
} from '../../src/core/model/index.ts';
import { itemTrailer } from '../../src/core/pipeline/trailers.ts';
import { branch, item, itemId, noon, pull, repo } from './snapshots.ts';

interface Commit {
  sha: CommitSha;
  parents: CommitSha[];
  files: Record<string, string>;
  message: string;
}

/** Plain data of everything outside orch: the server's repository, pull requests, CI, the work item, a clock. */
export interface WorldState {
  now: number;
  commits: Record<string, Commit>;
  heads: Record<string, CommitSha>;
  pulls: PrMirror[];
  statuses: Record<string, StatusRow[]>;
  reviews: Record<number, ReviewRow[]>;
  item: ItemMirror;
  /** The forge and git do not answer. */
  down: boolean;
  /** The branch does not merge into its base. */
  conflict: boolean;
  /** A rule of the server refuses merges. */
  refuses: boolean;
  /** Heads of merges that were carried out, oldest first. */
  merges: CommitSha[];
  serial: number;
}

export const folder = 'docs/work-items/ET-012';

function id(text: string): CommitSha {
  return createHash('sha1').update(text).digest('hex') as CommitSha;
}

export function newWorld(): WorldState {
  const world: WorldState = {
    now: noon,
    commits: {},
    heads: {},
    pulls: [],
    statuses: {},
    reviews: {},
    item: item({ stateName: 'Todo', stateGroup: 'unstarted' }),
    down: false,
    conflict: false,
    refuses: false,
    merges: [],
    serial: 1,
  };
  const root = commit(world, [], { 'README.md': 'shop' }, 'root');
  world.heads['main'] = root;
  return world;
}

function commit(world: WorldState, parents: CommitSha[], files: Record<string, string>, message: string): CommitSha {
  world.serial += 1;
  const sha = id(`${parents.join()} ${JSON.stringify(files)} ${message} ${world.serial}`);
  world.commits[sha] = { sha, parents, files, message };
  return sha;
}

/** Adds to or changes files on the task's branch; null where there is no branch. */
export function push(world: WorldState, files: Record<string, string>, message = 'work'): CommitSha | null {
  const head = world.heads[branch];
  if (head === undefined) return null;
  const sha = commit(world, [head], { ...world.commits[head]?.files, ...files }, message);
  world.heads[branch] = sha;
  for (const open of world.pulls) if (open.state === 'open') open.headSha = sha;
  return sha;
}

/** The branch loses its last commits and gets another one instead. */
export function rewrite(world: WorldState): void {
  const head = world.heads[branch];
  const main = world.heads['main'];
  if (head === undefined || main === undefined) return;
  const sha = commit(world, [main], { ...world.commits[head]?.files }, `rewritten\n\n${itemTrailer(itemId)}`);
  world.heads[branch] = sha;
  for (const open of world.pulls) if (open.state === 'open') open.headSha = sha;
}

export function codeOf(world: WorldState, sha: string): string {
  const files = Object.entries(world.commits[sha]?.files ?? {}).filter(([path]) => !path.startsWith(`${folder}/`));
  return id(JSON.stringify(files.sort(([a], [b]) => a.localeCompare(b))));
}

export function isAncestor(world: WorldState, ancestor: string, sha: string): boolean {
  const todo = [sha];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (next === ancestor) return true;
    todo.push(...(world.commits[next]?.parents ?? []));
  }
  return false;
}

export function openPull(world: WorldState): PrMirror | undefined {
  return world.pulls.find((candidate) => candidate.state === 'open');
}

/** The merge, however it came about. */
export function merge(world: WorldState, pr: PrMirror): CommitSha {
  const main = world.heads['main'] as CommitSha;
  const files = { ...world.commits[main]?.files, ...world.commits[pr.headSha]?.files };
  const sha = commit(world, [main, pr.headSha], files, `merge #${pr.number}`);
  world.heads['main'] = sha;
  Object.assign(pr, { state: 'closed', merged: true, mergedSha: sha });
  world.merges.push(pr.headSha);
  return sha;
}

/** What a poll sees of the task: the state of the outside now. Nobody asks for a branch that was not made yet. */
export function look(world: WorldState, hasBranch: boolean, prNumber: number | null): Mirror[] {
  const mirrors: Mirror[] = [structuredClone(world.item)];
  if (world.down || !hasBranch) return mirrors;
  mirrors.push({ kind: 'branch', branch, sha: world.heads[branch] ?? null });
  const own = world.pulls.find((candidate) => candidate.number === prNumber);
  if (own !== undefined) mirrors.push(structuredClone(own));
  return mirrors;
}

const unprotected: Protection = {
  protected: false,
  requiredApprovals: 0,
  statusCheck: false,
  contexts: [],
  canPush: true,
  canMerge: true,
};

function reach(world: WorldState): void {
  if (world.down) throw new Error('the server does not answer');
}

/** The part of git and the forge that evidence is collected from, answered from the world as it is when asked. */
export function peersOf(get: () => WorldState): { git: GitPort; forge: Forge } {
  const answer = async <T>(make: (world: WorldState) => T): Promise<T> => {
    await Promise.resolve();
    reach(get());
    return make(get());
  };
  const git = {
    fetch: () => answer(() => {}),
    head: (_repo: string, name: string) => answer((world) => world.heads[name] ?? null),
    has: (_repo: string, sha: string) => answer((world) => world.commits[sha] !== undefined),
    readFile: (_repo: string, sha: string, path: string) => answer((world) => world.commits[sha]?.files[path] ?? null),
    listTree: (_repo: string, sha: string, below: string) =>
      answer((world) =>
        Object.entries(world.commits[sha]?.files ?? {})
          .filter(([path]) => path.startsWith(`${below}/`))
          .map(([path, text]) => ({ path, blob: id(text), mode: '100644', size: text.length })),
      ),
    codeTree: (_repo: string, sha: string) => answer((world) => codeOf(world, sha)),
    isAncestor: (_repo: string, a: string, b: string) => answer((world) => isAncestor(world, a, b)),
    commitsSince: (_repo: string, base: string, head: string) =>
      answer((world) => {
        const found: { sha: CommitSha; message: string }[] = [];
        for (let at: string | undefined = head; at !== undefined && !isAncestor(world, at, base);) {
          const known: Commit | undefined = world.commits[at];
          if (known === undefined) break;
          found.push({ sha: known.sha, message: known.message });
          at = known.parents[0];
        }
        return found;
      }),
    mergeTree: () => answer((world) => ({ clean: !world.conflict, conflicts: world.conflict ? ['src/cart.ts'] : [] })),
  };
  const forge = {
    statuses: (_repo: string, sha: string) => answer((world) => [...(world.statuses[sha] ?? [])]),
    pull: (_repo: string, number: number) =>
      answer((world) => {
        const own = world.pulls.find((candidate) => candidate.number === number);
        return own === undefined ? null : { ...own, repo, sameRepo: true, updatedAt: world.now };
      }),
    reviews: (_repo: string, number: number) => answer((world) => [...(world.reviews[number] ?? [])]),
    me: () => answer(() => ({ login: 'orch' })),
    writers: () => answer(() => ['orch', 'senior']),
    remarks: () => answer(() => []),
    comments: () => answer(() => []),
    reviewerLogin: () => answer(() => null),
    protection: () => answer(() => unprotected),
  };
  return { git: git as unknown as GitPort, forge: forge as unknown as Forge };
}

/** Does to the world what an effect asks for; safe to repeat, like the real deliveries. */
export function carryOut(world: WorldState, { body }: Effect, policy: ProjectPolicy): Delivery {
  switch (body.kind) {
    case 'tracker.comment':
      return { kind: 'done', result: { id: 'c', at: world.now } };
    case 'tracker.state': {
      const name = policy.states[body.phase];
      const group = body.phase === 'done' ? 'completed' : body.phase === 'cancelled' ? 'cancelled' : 'started';
      Object.assign(world.item, { stateName: name, stateGroup: group, updatedBy: 'orch', updatedByAllowed: false });
      return { kind: 'done', result: {} };
    }
    case 'chat.message':
    case 'forge.post_review':
    case 'forge.answer_threads':
      return { kind: 'done', result: {} };
    case 'git.start_branch': {
      if (world.down) return { kind: 'retry', error: 'down', afterMs: null };
      const main = world.heads['main'] as CommitSha;
      world.heads[branch] ??= commit(
        world,
        [main],
        { ...world.commits[main]?.files, [`${folder}/00-business-request.md`]: 'wanted' },
        `request\n\n${itemTrailer(body.itemId)}`,
      );
      const sha = world.heads[branch];
      return { kind: 'done', result: { sha, codeTree: codeOf(world, sha) } };
    }
    case 'forge.open_pull': {
      if (world.down) return { kind: 'retry', error: 'down', afterMs: null };
      const head = world.heads[branch];
      if (head === undefined) return { kind: 'dead', error: 'there is no branch' };
      let open = openPull(world);
      if (open === undefined) {
        open = pull({ number: world.pulls.length + 7, headSha: head });
        world.pulls.push(open);
      }
      return { kind: 'done', result: { number: open.number } };
    }
    case 'forge.merge_pull': {
      if (world.down) return { kind: 'retry', error: 'down', afterMs: null };
      const own = world.pulls.find((candidate) => candidate.number === body.number);
      if (own === undefined) return { kind: 'dead', error: 'gone', result: { reason: 'gone' } };
      if (own.merged) return { kind: 'done', result: { mergedSha: own.mergedSha } };
      if (own.state === 'closed') return { kind: 'dead', error: 'closed', result: { reason: 'closed' } };
      if (own.headSha !== body.head) return { kind: 'dead', error: 'moved', result: { reason: 'moved' } };
      if (world.conflict) return { kind: 'dead', error: 'conflict', result: { reason: 'conflict' } };
      if (world.refuses) return { kind: 'dead', error: 'protected', result: { reason: 'refused' } };
      return { kind: 'done', result: { mergedSha: merge(world, own) } };
    }
  }
}
