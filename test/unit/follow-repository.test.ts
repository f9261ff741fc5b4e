import { describe, expect, it } from 'vitest';
import type {
  CommitSha,
  Forge,
  Hold,
  ProjectResolved,
  Repository,
  RepoSlug,
  Store,
  Task,
  TaskId,
} from '../../src/core/model/index.ts';
import { followRepository } from '../../src/pollers/repository.ts';
import { branch, held, mustDecide, policy, pull, repo, sha, snapshot } from '../support/snapshots.ts';

const old = 'acme/store' as RepoSlug;

function task(n: number, over: Partial<Task> = {}): Task {
  return { ...snapshot({ task: { stage: 'development', ...over } }).task, id: `ET-${n}` as TaskId };
}

interface World {
  /** Ids of the repositories, by the name under which they are found. */
  ids: Record<string, number>;
  running?: RepoSlug;
  heads?: Map<string, CommitSha>;
}

async function follow(tasks: Task[], known: ProjectResolved['repository'], world: World) {
  const did: string[] = [];
  const found = (slug: RepoSlug): Repository | null => {
    const id = world.ids[slug];
    return id === undefined ? null : ({ id, slug: repo } as Repository);
  };
  const forge = {
    repo: async (slug: RepoSlug) => {
      did.push(`repo ${slug}`);
      return found(slug) ?? Promise.reject(new Error('none'));
    },
    findRepo: async (slug: RepoSlug) => found(slug),
  } as unknown as Forge;
  const store = {
    runningJobs: async () => (world.running === undefined ? [] : [{ job: { repo: world.running } }]),
    moveRepository: async (_project: string, from: string, to: string) => {
      did.push(`tasks ${from} > ${to}`);
      return 'ok';
    },
  } as unknown as Store;
  const moveCopies = async (from: string, to: string): Promise<void> => void did.push(`copies ${from} > ${to}`);
  const heads = world.heads ?? new Map([[branch, sha('2')]]);
  const answer = await followRepository(policy(), known, tasks, heads, { store, forge, moveCopies });
  return { ...answer, did, told: answer.messages.map(({ taskId }) => taskId) };
}

const moved = [`repo ${repo}`, `copies ${old} > ${repo}`, `tasks ${old} > ${repo}`];
const three = { id: 3, slug: repo };

describe('tasks follow their repository', () => {
  it.each<[string, Task[], ProjectResolved['repository'], World, string[], string[]]>([
    ['nothing is new: nothing is asked', [task(1)], three, { ids: { [repo]: 3 } }, [], []],
    ['at the first look its id is kept', [task(1)], null, { ids: { [repo]: 3 } }, [`repo ${repo}`], []],
    ['renamed or transferred', [task(1, { repo: old })], { id: 3, slug: old }, { ids: { [repo]: 3 } }, moved, []],
    ['renamed before its id was kept', [task(1, { repo: old })], null, { ids: { [repo]: 3, [old]: 3 } }, moved, []],
    [
      'renamed while an agent works in it',
      [task(1, { repo: old })],
      { id: 3, slug: old },
      { ids: { [repo]: 3 }, running: old },
      [`repo ${repo}`],
      [],
    ],
    [
      'another one is configured',
      [task(1, { repo: old }), task(2)],
      { id: 3, slug: old },
      { ids: { [repo]: 9, [old]: 3 } },
      [`repo ${repo}`],
      ['ET-1'],
    ],
    ['nobody can tell', [task(1, { repo: old })], null, { ids: { [repo]: 9 } }, [`repo ${repo}`], ['ET-1']],
    ['a branch is missing', [task(1)], three, { ids: { [repo]: 3 }, heads: new Map() }, [`repo ${repo}`], []],
    ['made again', [task(1)], three, { ids: { [repo]: 9 }, heads: new Map() }, [`repo ${repo}`], ['ET-1']],
  ])('%s', async (_what, tasks, known, world, did, told) => {
    const answer = await follow(tasks, known, world);
    expect(answer.did).toEqual(did);
    expect(answer.told).toEqual(told);
    expect([...answer.lost]).toEqual(told);
    expect(answer.repository).toEqual(told.length > 0 || world.running !== undefined ? known : three);
  });

  it('is told again until every task is held, and then takes the new one for the project’s', async () => {
    const hold: Hold = held('repository_replaced');
    const world = { ids: { [repo]: 9 }, heads: new Map() };
    const one = await follow([task(1, { hold }), task(2)], three, world);
    expect(one).toMatchObject({ told: ['ET-2'], repository: three });
    expect([...one.lost]).toEqual(['ET-1', 'ET-2']);
    const all = await follow([task(1, { hold })], three, world);
    expect(all).toMatchObject({ told: [], repository: { id: 9, slug: repo } });
    expect([...all.lost]).toEqual(['ET-1']);
  });
});

describe('a task whose repository is another one', () => {
  const message = { kind: 'repository_replaced', text: 'acme/shop is another repository' } as const;

  it('is held, and knows no pull request any more: its number is somebody else’s', () => {
    const decision = mustDecide(snapshot({ message, task: { repo: old } }));
    expect(decision.task).toMatchObject({ prNumber: null, repo: old, hold: { cause: 'repository_replaced' } });
    const merged = snapshot({ task: decision.task, pr: pull({ state: 'closed', merged: true, mergedSha: sha('9') }) });
    expect(() => mustDecide(merged)).toThrow('nothing follows');
  });

  it('goes on in the project’s repository when it is retried', () => {
    const lifted = mustDecide(
      snapshot({
        task: { repo: old, prNumber: null, hold: held('repository_replaced') },
        message: { kind: 'command', name: 'retry', by: 'anna' },
      }),
    );
    expect(lifted.task).toMatchObject({ repo, hold: null });
    expect(lifted.why.sentence).toContain(`the task goes on in ${repo}`);
  });

  it('that has no branch yet simply begins in the project’s repository', () => {
    const created = mustDecide(snapshot({ message, task: { stage: 'created', visit: 0, repo: old } }));
    expect(created.task).toMatchObject({ repo, hold: null });
  });
});
