import { describe, expect, it } from 'vitest';
import type {
  Decision,
  Effect,
  EffectId,
  EffectOf,
  Evidence,
  Forge,
  GitPort,
  MergeAnswer,
  Protection,
  ReviewRow,
  StatusRow,
  Visit,
} from '../../src/core/model/index.ts';
import { OrchError } from '../../src/core/model/index.ts';
import { deliverMerge } from '../../src/core/engine/deliver-merge.ts';
import { judgeCi } from '../../src/core/pipeline/gates/ci-green.ts';
import { matchesContext } from '../../src/core/pipeline/gates/context-pattern.ts';
import {
  branch,
  decided,
  evidence,
  held,
  minute,
  mustDecide,
  noon,
  policy,
  progress,
  pull,
  repo,
  review,
  seen,
  settled,
  sha,
  snapshot,
  status,
  taskId,
  unseen,
} from '../support/snapshots.ts';

describe('the patterns of required contexts, as Gitea 1.26 reads them', () => {
  it.each<[string, string, boolean]>([
    ['ci / test', 'ci / test', true],
    ['ci / *', 'ci / test (pull_request)', true],
    ['ci / *', 'ci / a/b', true],
    ['ci/*', 'lint', false],
    ['*', 'anything / at all', true],
    ['**', '', true],
    ['ci/?', 'ci/1', true],
    ['ci/?', 'ci/', false],
    ['ci/[abc]', 'ci/b', true],
    ['ci/[!abc]', 'ci/b', false],
    ['ci/[!abc]', 'ci/x', true],
    ['node [0-9][0-9]', 'node 20', true],
    ['build [linux]', 'build [linux]', false],
    ['build \\[linux\\]', 'build [linux]', true],
    ['ci / {test,lint}', 'ci / lint', true],
    ['ci / {test,lint}', 'ci / build', false],
    ['ci / {a*,b{1,2}}', 'ci / b2', true],
    ['a,b', 'a,b', true],
    ['test (push)', 'test (push)', true],
    ['a.b', 'axb', false],
    ['ci/[abc', 'ci/a', false],
    ['ci\\', 'ci\\', false],
    ['Test', 'test', false],
    ['*x'.repeat(40), 'x'.repeat(39), false],
  ])('%s and %s: %s', (pattern, context, matches) => {
    expect(matchesContext(pattern, context)).toBe(matches);
  });

  it.each<[StatusRow[], string]>([
    [[status('ci / test', 'passed'), status('ci / lint', 'passed'), status('other', 'failed')], 'pass'],
    [[status('ci / test', 'passed'), status('ci / lint', 'pending')], 'pending'],
    [[status('ci / test', 'passed'), status('ci / lint', 'failed')], 'fail'],
    [[status('other', 'passed')], 'pending'],
  ])('the gate waits for everything that `ci / *` means (%#)', (rows, wanted) => {
    expect(judgeCi(rows, ['ci / *'], 't').status).toBe(wanted);
  });

  it('a name in the configuration also means itself', () => {
    expect(judgeCi([status('build [linux]', 'passed')], ['build [linux]'], 't').status).toBe('pass');
  });
});

type Guard = NonNullable<Evidence['protection']>;

const open: Protection = {
  protected: true,
  requiredApprovals: 0,
  statusCheck: false,
  contexts: [],
  canPush: true,
  canMerge: true,
};
const guarded = (rule: Partial<Protection>, statuses: StatusRow[] = []): Guard =>
  seen({ rule: { ...open, ...rule }, statuses });
const checks = (statuses: StatusRow[], contexts = ['ci/*']): Guard =>
  guarded({ statusCheck: true, contexts }, statuses);

type Over = Parameters<typeof policy>[0];
const deploying = { stage: 'deploy', progress: progress({ approvedCode: { review: 'tree-2' } }) } as const;

function go(proof: Parameters<typeof evidence>[0], over: Over = {}, visit: Partial<Visit> = {}): Decision {
  const s = snapshot({ task: deploying, visit: { finished: null, ...visit } });
  return mustDecide(s, evidence(proof), policy(over));
}
function mergeOf(decision: Decision): EffectOf<'forge.merge_pull'> | null {
  const found = decision.effects.map(({ body }) => body).find((body) => body.kind === 'forge.merge_pull');
  return found === undefined ? null : (found as EffectOf<'forge.merge_pull'>);
}

describe('what the protection of the base branch demands of the head itself', () => {
  const old = { rows: [status('ci/test', 'passed')] };

  it.each<[string, Guard, string, RegExp]>([
    [
      'a required check runs',
      checks([status('ci/test', 'pending')]),
      'ci',
      /protection of main.*not finished: ci\/test/,
    ],
    ['one has not reported', checks([status('docs', 'passed')]), 'ci', /not finished: ci\/\*/],
    ['none has reported', checks([]), 'ci', /ci\/\* has not reported/],
    ['any is wanted, none is there', checks([], []), 'ci', /no CI status reported yet/],
    ['one failed', checks([status('ci/test', 'failed')]), 'merge_refused', /CI failed: ci\/test/],
    ['an approval is missing', guarded({ requiredApprovals: 1 }), 'pr_review', /wants 1 approval, none counts/],
    ['it cannot be read', unseen(), 'cannot_see', /does not answer/],
  ])('%s: waits, and asks for no merge', (_what, protection, cause, text) => {
    const decision = go({ ...old, protection });
    expect(decision.task.hold).toMatchObject({ cause, blocking: false });
    expect(decision.task.hold?.text).toMatch(text);
    expect(mergeOf(decision)).toBeNull();
  });

  it.each<[string, Guard]>([
    ['not protected', guarded({ protected: false, statusCheck: true, contexts: ['ci/*'] })],
    ['everything required passed', checks([status('ci/test', 'passed'), status('other', 'failed')])],
    ['a required check was skipped', checks([status('ci/test', 'skipped')])],
  ])('%s: the merge is asked for', (_what, protection) => {
    expect(mergeOf(go({ ...old, protection }))?.head).toBe(sha('2'));
  });

  it('says which check never came, after the grace period', () => {
    const decision = go({ protection: checks([]) }, {}, { ciSince: noon - 11 * minute });
    expect(decision.task.hold).toMatchObject({ cause: 'ci_silent' });
    expect(decision.task.hold?.text).toContain('ci/* has not reported; no CI has reported for 10 minutes');
  });

  it.each<[string, Over, { rows: ReturnType<typeof review>[]; own?: ReviewRow[] }, number, boolean]>([
    ['a person', {}, { rows: [review({ sameCode: true })] }, 1, true],
    ['on older code: the server counts it', {}, { rows: [review({ sameCode: false })] }, 1, true],
    ['a stranger', {}, { rows: [review({ counts: false })] }, 1, false],
    ['one of two', {}, { rows: [review()] }, 2, false],
    ['the second account, which will say it', { postsVerdict: true }, { rows: [] }, 1, true],
    ['the second account, once', { postsVerdict: true }, { rows: [], own: [review({ user: 'orch-2' })] }, 2, false],
    [
      'the second account, dismissed',
      { postsVerdict: true },
      { rows: [], own: [review({ dismissed: true })] },
      1,
      true,
    ],
  ])('approvals: %s', (_what, over, rows, requiredApprovals, asked) => {
    const decision = go(
      { protection: guarded({ requiredApprovals }), reviews: seen({ author: 'orch', ...rows }) },
      over,
    );
    expect(mergeOf(decision) !== null).toBe(asked);
    expect(mergeOf(decision)?.approval !== undefined).toBe(asked && over?.postsVerdict === true);
  });

  it('a pull request that a person sent to another branch is said, and merged when it is back', () => {
    const away = { pull: seen({ merged: false, mergedSha: null, baseBranch: 'develop' }) };
    const decision = go(away);
    expect(decision.task.hold?.text).toBe('pull request #7 now goes into develop: set it back to main');
    expect(mergeOf(decision)).toBeNull();
    const back = snapshot({ task: { ...deploying, hold: decision.task.hold }, visit: { finished: null } });
    expect(mergeOf(mustDecide(back))).not.toBeNull();
  });
});

describe('a merge that the server refuses', () => {
  const proof = { protection: guarded({ requiredApprovals: 0 }) };
  const asked = go(proof);
  const refused = mustDecide(
    snapshot({
      task: asked.task,
      visit: asked.visit ?? {},
      message: settled('forge.merge_pull', {
        ok: false,
        error: 'Changed protected files',
        result: { reason: 'refused' },
      }),
    }),
    evidence(proof),
  );
  const after = (changed: Parameters<typeof evidence>[0], hold = refused.task.hold) =>
    decided(snapshot({ task: { ...refused.task, hold }, visit: refused.visit ?? {} }), evidence(changed));
  const waits = after(proof);

  it('waits with the command, because nothing that is seen has changed', () => {
    expect(waits.decision?.task.hold).toMatchObject({
      cause: 'merge_refused',
      blocking: false,
      text: 'the server refuses the merge: Changed protected files',
      command: 'orch retry ET-012',
    });
    expect(after(proof, waits.decision?.task.hold ?? null)).toMatchObject({ rule: 'rest', wakeAt: noon + minute });
  });

  it.each<[string, Parameters<typeof evidence>[0]]>([
    ['a review', { ...proof, reviews: seen({ author: 'orch', rows: [review()] }) }],
    ['the protection', { protection: guarded({ protected: false }) }],
    ['a required check', { protection: checks([status('ci/test', 'passed')]) }],
  ])('is asked for again when it changes: %s', (_what, changed) => {
    const decision = after(changed, waits.decision?.task.hold ?? null).decision;
    expect(decision === null ? null : mergeOf(decision)).not.toBeNull();
  });

  it('is asked for again by a retry', () => {
    const lifted = mustDecide(
      snapshot({
        task: { ...refused.task, hold: held('merge_refused') },
        visit: refused.visit ?? {},
        message: { kind: 'command', name: 'retry', by: 'anna' },
      }),
    );
    const next = mustDecide(snapshot({ task: lifted.task, visit: lifted.visit ?? {} }), evidence(proof));
    expect(mergeOf(next)).not.toBeNull();
  });
});

describe('the approval of the second account', () => {
  const body: EffectOf<'forge.merge_pull'> = {
    kind: 'forge.merge_pull',
    repo,
    number: 7,
    branch,
    baseBranch: 'main',
    head: sha('2'),
    style: 'merge',
    marker: 'Orch-Merge: ET-012/3',
    title: 'ET-012',
    approval: 'The code is the one that was approved.',
  };
  const effect = { id: '1' as EffectId, taskId, key: 'k', lane: 'l', body, report: true, attempts: 1, lastError: null };

  /** A server that answers every request for a merge like this, and whose second account may do what `post` does. */
  async function deliver(answer: MergeAnswer, post: () => void, over: Partial<typeof body> = {}) {
    const calls: string[] = [];
    const forge = {
      pull: () => Promise.resolve({ ...pull(), repo, sameRepo: true, updatedAt: noon }),
      postReview: () => {
        calls.push('approve');
        return new Promise<void>((resolve) => resolve(post()));
      },
      merge: () => {
        calls.push('merge');
        return Promise.resolve(answer);
      },
    } as unknown as Forge;
    const git = {
      fetch: () => Promise.resolve(),
      outdated: () => {},
      head: () => Promise.resolve(sha('1')),
      findCommit: () => Promise.resolve(null),
      mergeTree: () => Promise.resolve({ clean: true, conflicts: [] }),
    } as unknown as GitPort;
    const delivery = await deliverMerge({ ...effect, createdAt: noon } as Effect, { ...body, ...over }, { git, forge });
    return { calls, delivery };
  }
  const no: MergeAnswer = { kind: 'refused', said: 'Does not have enough approvals' };
  const fails = (kind: 'refusal' | 'server') => () => {
    throw new OrchError('no access', { code: kind === 'refusal' ? 'gitea_not_found' : 'gitea_server_error' });
  };

  it('is seen to before every request for the merge, and only where it gives one', async () => {
    expect((await deliver(no, () => {})).calls).toEqual(['approve', 'merge']);
    const { approval: _approval, ...plain } = body;
    expect((await deliver(no, () => {}, { ...plain, approval: undefined } as never)).calls).toEqual(['merge']);
  });

  it('an account without access keeps no merge waiting; its trouble is told with the refusal', async () => {
    expect(await deliver(no, fails('refusal'))).toMatchObject({
      calls: ['approve', 'merge'],
      delivery: {
        kind: 'dead',
        error: 'Does not have enough approvals; the verdict could not be posted: no access',
        result: { reason: 'refused' },
      },
    });
  });

  it('a server in trouble is asked again, the merge with it', async () => {
    expect((await deliver(no, fails('server'))).delivery).toMatchObject({ kind: 'retry' });
  });
});
