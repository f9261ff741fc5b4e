import { describe, expect, it, vi } from 'vitest';
import type { CommitSha, Forge, ItemId, ProjectId, RepoSlug, Tracker } from '../../src/core/model/index.ts';
import { askForgeOnce, askTrackerOnce } from '../../src/core/engine/ask-once.ts';

const repo = 'acme/shop' as RepoSlug;
const sha = 'a'.repeat(40) as CommitSha;
const [project, item] = ['p' as ProjectId, 'i' as ItemId];

/** A peer whose every function notes its name and arguments. */
function peer<T>(answers: Partial<Record<keyof T, (n: number) => unknown>> = {}): { of: T; asked: string[] } {
  const asked: string[] = [];
  const names = [
    'pull',
    'reviews',
    'statuses',
    'protection',
    'openPull',
    'postReview',
    'answer',
    'merge',
    'item',
    'setState',
  ];
  const functions = names.map((name) => [
    name,
    (...args: unknown[]) => {
      asked.push([name, ...args.filter((arg) => typeof arg !== 'object')].join(' '));
      const answer = answers[name as keyof T];
      return answer === undefined ? Promise.resolve({}) : Promise.resolve(asked.length).then(answer);
    },
  ]);
  return { of: Object.fromEntries(functions) as T, asked };
}

describe('what is asked once in a round', () => {
  it('is each question to the forge, until something is written to it', async () => {
    const { of, asked } = peer<Forge>();
    const forge = askForgeOnce(of);
    const askAll = async (): Promise<void> => {
      for (let n = 0; n < 2; n += 1) {
        await forge.pull(repo, 1);
        await forge.reviews(repo, 1);
        await forge.statuses(repo, sha);
        await forge.protection(repo, 'main');
      }
    };
    const all = [`pull ${repo} 1`, `reviews ${repo} 1`, `statuses ${repo} ${sha}`, `protection ${repo} main`];
    await askAll();
    expect(asked.splice(0)).toEqual(all);
    await forge.pull(repo, 2);
    expect(asked.splice(0)).toEqual([`pull ${repo} 2`]);
    const nothing = {} as never;
    for (const write of ['openPull', 'postReview', 'answer', 'merge'] as const) {
      if (write === 'postReview' || write === 'answer') await forge[write](repo, 1, nothing);
      else await forge[write](repo, nothing);
      asked.splice(0);
      await askAll();
      expect(asked.splice(0)).toEqual(all);
    }
  });

  it('is asked again after a write that failed, and a failure is an answer', async () => {
    const fails = () => Promise.reject(new Error('down'));
    const { of, asked } = peer<Forge>({ merge: fails, pull: fails });
    const forge = askForgeOnce(of);
    for (let n = 0; n < 2; n += 1) await expect(forge.pull(repo, 1)).rejects.toThrow('down');
    expect(asked).toHaveLength(1);
    await expect(forge.merge(repo, {} as never)).rejects.toThrow('down');
    await expect(forge.pull(repo, 1)).rejects.toThrow('down');
    expect(asked).toHaveLength(3);
  });

  it('is each item, which a change of its state answers as well; a round that takes long asks again', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { of, asked } = peer<Tracker>({ setState: () => ({ stateId: 's2' }) });
    const tracker = askTrackerOnce(of);
    await tracker.item(project, item);
    await tracker.item(project, item);
    await tracker.setState(project, item, 's2');
    expect(await tracker.item(project, item)).toEqual({ stateId: 's2' });
    expect(asked).toEqual(['item p i', 'setState p i s2']);
    vi.advanceTimersByTime(3_001);
    await tracker.item(project, item);
    expect(asked).toHaveLength(3);
    vi.useRealTimers();
  });
});
