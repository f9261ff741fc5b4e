import { describe, expect, it } from 'vitest';
import type { CommitSha, Hold, ProjectId, ProjectPolicy, RepoSlug, Task, TaskId } from '../../src/core/model/index.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { createQuickLooks } from '../../src/pollers/quick.ts';
import type { PollerParts } from '../../src/pollers/poll-once.ts';
import { policy, snapshot } from '../support/snapshots.ts';

const now = 1_800_000_000_000;
const never = new AbortController().signal;
const leader = { name: 'poller', owner: 'me', token: 1, expiresAt: now + 1000 };

function hold(owner: Hold['owner'], cause: string, since = now - 60_000): Hold {
  return {
    cause,
    owner,
    since,
    blocking: false,
    text: '',
    clearedBy: '',
    command: null,
    lift: 'rejudge',
    phase: 'in_progress',
    detail: {},
  };
}

/** A poller's parts that count what is asked; `n` tasks for each project. */
function world(of: Hold | null, { projects = 1, tasks = 1, remaining = 45, fails = false } = {}) {
  const policies = Array.from({ length: projects }, (_, p): ProjectPolicy => ({
    ...policy(),
    projectId: `p${p}` as ProjectId,
    name: `P${p}`,
    repo: `acme/r${p}` as RepoSlug,
  }));
  const all = policies.flatMap(({ projectId, repo }) =>
    Array.from({ length: tasks }, (_, n): Task => {
      const id = `${projectId}-${n}` as TaskId;
      return { ...snapshot().task, id, projectId, repo, stage: 'development', visit: 1, hold: of, branch: id };
    }),
  );
  const asked: string[] = [];
  const note = (what: string): Promise<never[]> => {
    asked.push(what);
    return fails ? Promise.reject(new Error('down')) : Promise.resolve([]);
  };
  const parts = {
    log: silentLog,
    failedDecisions: new Map(),
    store: {
      now: () => now,
      tasks: () => Promise.resolve(all.map((task) => ({ task }))),
      load: (id: string) => Promise.resolve({ branch: { sha: `sha of ${id}` as CommitSha } }),
      // A project that was never looked at: its first look asks for the highest number.
      project: (projectId: string) => Promise.resolve({ projectId, firstNumber: null, resolved: {} }),
      observe: () => Promise.resolve({ woken: [] }),
      dueTasks: () => Promise.resolve([]),
      claimEffect: () => Promise.resolve(null),
    },
    tracker: {
      remaining: () => Promise.resolve(remaining),
      release: () => Promise.resolve(),
      highestNumber: (projectId: string) => note(`list ${projectId}`),
      items: () => Promise.reject(new Error('enough')),
    },
    forge: { statuses: (repo: string, sha: string) => note(`${repo} ${sha}`) },
  } as unknown as PollerParts;
  const quick = createQuickLooks(parts, policies, { quickMs: 5_000, quickRequests: 15 }, () => Promise.resolve(leader));
  return { quick, asked };
}

describe('quick looks', () => {
  it.each<[string, Hold | null]>([
    ['nobody waits', null],
    ['orch itself is at work', hold('orch', 'outside')],
    ['a person was asked long ago', hold('approver', 'approval', now - 2 * 3_600_000)],
  ])('ask nothing while %s', async (_name, of) => {
    const { quick, asked } = world(of);
    expect(await quick.turn(never)).toBe(5_000);
    expect(asked).toEqual([]);
  });

  it('hear 200 people who were asked through one list', async () => {
    const { quick, asked } = world(hold('approver', 'approval'), { tasks: 200 });
    expect(await quick.turn(never)).toBe(5_000);
    expect(asked).toEqual(['list p0']);
  });

  it('take projects in turn, no more of them a minute than the share of the budget', async () => {
    const { quick, asked } = world(hold('operator', 'nothing_produced'), { projects: 4 });
    let spentMs = 0;
    while (spentMs < 60_000) {
      spentMs += await quick.turn(never);
      quick.ticked();
    }
    expect(asked).toHaveLength(15);
    expect(new Set(asked.slice(0, 4)).size).toBe(4);
  });

  it('leave the last part of the budget alone', async () => {
    const { quick, asked } = world(hold('author', 'intake_refused'), { remaining: 15 });
    await quick.turn(never);
    expect(asked).toEqual([]);
  });

  it('ask the forge for ten heads a look of 200 that wait for CI, and for all of them in turn', async () => {
    const { quick, asked } = world(hold('ci', 'ci'), { tasks: 200 });
    await quick.turn(never);
    expect(asked).toHaveLength(10);
    for (let n = 1; n < 20; n += 1) await quick.turn(never);
    expect(new Set(asked).size).toBe(200);
  });

  it('leave a server that fails to the next tick', async () => {
    const { quick, asked } = world(hold('ci', 'ci'), { fails: true });
    for (let n = 0; n < 3; n += 1) await quick.turn(never);
    expect(asked).toHaveLength(1);
    quick.ticked();
    await quick.turn(never);
    expect(asked).toHaveLength(2);
  });
});
