import { describe, expect, it } from 'vitest';
import type {
  ErrorCode,
  Forge,
  GitPort,
  Mirror,
  NamedLease,
  Observation,
  RepoPr,
  Store,
  Task,
  TaskId,
} from '../../src/core/model/index.ts';
import { nothingResolved, OrchError } from '../../src/core/model/index.ts';
import { pollForge } from '../../src/pollers/forge.ts';
import { branch, minute, noon, policy, pull, repo, review, sha, snapshot } from '../support/snapshots.ts';

const trouble = (code: ErrorCode) => (): never => {
  throw new OrchError(code, { code });
};
const of = (n: number, over: Partial<RepoPr> = {}): RepoPr => ({
  ...pull({ number: n }),
  repo,
  sameRepo: true,
  updatedAt: noon - minute,
  ...over,
});
const merged = { state: 'closed', merged: true, mergedSha: sha('9') } as const;
const strangers = Array.from({ length: 250 }, (_, n) => of(n + 1000, { headBranch: `other-${n}` }));

/** One look for tasks whose pull requests have these numbers; answers what was observed and what was asked. */
async function look(over: Partial<Forge>, numbers = [7], watermark: number | null = noon - 10 * minute) {
  const asked: string[] = [];
  const observed: Observation[] = [];
  const tasks = numbers.map((prNumber, n): Task => {
    const { task } = snapshot({ task: { stage: 'review', prNumber } });
    return { ...task, id: `ET-${n + 1}` as TaskId };
  });
  const noted = <K extends keyof Forge>(name: K, work: Forge[K]): Forge[K] =>
    ((...args: unknown[]) => {
      asked.push(`${name} ${String(args[1])}`);
      return (async () => (work as (...all: unknown[]) => unknown)(...args))();
    }) as Forge[K];
  const forge = {
    maxStampDelayMs: minute,
    stampResolutionMs: 1000,
    pulls: noted('pulls', over.pulls ?? (async () => [])),
    pull: noted('pull', over.pull ?? (async (_repo, number) => of(number, merged))),
    reviews: noted('reviews', over.reviews ?? (async () => [review()])),
    statuses: async () => [],
    repo: noted('repo', async () => ({ id: 3 }) as never),
  } as unknown as Forge;
  const store = {
    now: () => noon,
    tasks: async () => tasks.map((task) => ({ task })),
    project: async () => ({
      projectId: policy().projectId,
      prWatermark: watermark,
      resolved: { ...nothingResolved, repository: { id: 3, slug: repo } },
    }),
    observe: async (seen: Observation) => void observed.push(seen),
  } as unknown as Store;
  const git = { lsRemoteHeads: async () => new Map([[branch, sha('2')]]) } as unknown as GitPort;
  const error = await pollForge(policy(), {
    store,
    git,
    forge,
    leader: {} as NamedLease,
    moveCopies: async () => {},
  }).then(
    () => null,
    (thrown: unknown) => (thrown as OrchError).code,
  );
  const mirrors = observed.flatMap((seen) => seen.mirrors);
  const kinds = (kind: Mirror['kind']): string[] =>
    mirrors.filter(({ mirror }) => mirror.kind === kind).map(({ taskId }) => taskId);
  const isMerged = mirrors.some(({ mirror }) => mirror.kind === 'pr' && mirror.merged);
  return { asked, error, kinds, isMerged, project: observed[0]?.project ?? null };
}

describe('one look at a repository that strangers write to', () => {
  it('reads the list alone where it tells everything', async () => {
    const seen = await look({ pulls: async () => [...strangers.slice(0, 20), of(7, merged)] });
    expect(seen).toMatchObject({ error: null, isMerged: true });
    expect(seen.asked).toEqual([`pulls ${noon - 11 * minute}`, 'reviews 7']);
    const none = await look({ pulls: async () => strangers.slice(0, 20) });
    expect(none.asked).toHaveLength(1);
  });

  it.each<[string, Partial<Forge>, number | null]>([
    ['more of others than one look reads', { pulls: async () => strangers.slice(0, 200) }, noon - 10 * minute],
    ['so many at the first look', { pulls: async () => strangers.slice(0, 200) }, null],
    ['a list that is too large', { pulls: trouble('gitea_garbage') }, noon - 10 * minute],
    ['a list that does not come in time', { pulls: trouble('gitea_unreachable') }, noon - 10 * minute],
  ])('%s: its own are read one by one, and a merge is seen', async (_what, over, watermark) => {
    const seen = await look(over, [7], watermark);
    expect(seen).toMatchObject({ error: null, isMerged: true });
    expect(seen.asked).toContain('pull 7');
  });

  it('asks for no more than one look reads, and goes on from there', async () => {
    let atMost: number | undefined;
    const seen = await look({
      pulls: async (_repo, _since, limit) => {
        atMost = limit;
        return strangers.slice(0, 200);
      },
    });
    expect(atMost).toBe(200);
    expect(seen.project).toMatchObject({ prWatermark: noon - minute, resolved: { pulls: { 7: { seenAt: noon } } } });
    expect(Object.keys(seen.project?.resolved.pulls ?? {})).toEqual(['7']);
  });

  it('what cannot be read of one task keeps the others neither from being seen nor from being read again', async () => {
    const pulls = async (): Promise<RepoPr[]> => [of(7, merged), of(8), of(9, merged)];
    const reviews: Forge['reviews'] = async (_repo, number) => (number === 8 ? trouble('gitea_garbage')() : [review()]);
    const seen = await look({ pulls, reviews }, [7, 8, 9]);
    expect(seen.error).toBe('gitea_garbage');
    expect(seen.kinds('pr')).toEqual(['ET-1', 'ET-3']);
    expect(seen.kinds('branch')).toEqual(['ET-1', 'ET-2', 'ET-3']);
    expect(Object.keys(seen.project?.resolved.pulls ?? {})).toEqual(['7', '9']);
    expect(seen.project?.prWatermark).toBe(noon - 10 * minute);
  });

  it.each<[ErrorCode]>([['gitea_rate_limited'], ['gitea_token_refused'], ['gitea_not_found']])(
    '%s is an answer to everything: nothing more is asked',
    async (code) => {
      const seen = await look({ pulls: trouble(code) });
      expect(seen).toMatchObject({ error: code, asked: [`pulls ${noon - 11 * minute}`], project: null });
    },
  );
});
