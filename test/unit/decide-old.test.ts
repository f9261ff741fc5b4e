import { describe, expect, it } from 'vitest';
import { messagesOf } from '../../src/core/engine/comments.ts';
import { approverNames } from '../../src/core/engine/project-facts.ts';
import type { ItemComment, Person } from '../../src/core/model/index.ts';
import {
  comment,
  decided,
  evidence,
  file,
  fourDocuments,
  held,
  job,
  jobs,
  minute,
  mustDecide,
  noon,
  noticeOf,
  progress,
  outcome,
  policy,
  ran,
  review,
  seen,
  settled,
  sha,
  snapshot,
  status,
  taskId,
  noticesOf,
} from '../support/snapshots.ts';

const four = fourDocuments.map((path) => file(path));
const hashes = Object.fromEntries(four.map((artifact) => [artifact.path, artifact.blob]));
const before = (...files: ReturnType<typeof file>[]) => ({
  sha: sha('1'),
  artifacts: Object.fromEntries(files.map((artifact) => [artifact.path, artifact.blob])),
  codeTree: 'tree-1',
});

describe('nothing old counts', () => {
  const adr = file('06-adr/1.md');
  const conflict = file('10-conflict.md');
  const questions = file('01-questions.md');
  const approved = file('12-review.md', '---\nverdict: APPROVED\n---\n');
  const refused = file('12-review.md', '---\nverdict: REQUEST_CHANGES\n---\nold findings');
  const passed = file('13-test-report.md', '---\nresult: PASS\n---\n');
  const failed = file('13-test-report.md', '---\nresult: FAIL\n---\nold failures');

  it.each<[string, Parameters<typeof snapshot>[0], Parameters<typeof evidence>[0], string]>([
    ['an old ADR does not pass', at('architecture', adr), { files: [adr] }, 'architecture.ask-again'],
    ['a handled conflict does not fail', at('architecture', conflict), { files: [conflict, adr] }, 'architecture.done'],
    ['an old approval does not pass', at('review', approved), { files: [approved] }, 'review.ask-again'],
    ['old findings do not fail', at('review', refused), { files: [refused] }, 'review.ask-again'],
    ['an old report does not pass', at('testing', passed), { files: [passed] }, 'testing.ask-again'],
    ['an old failure does not fail', at('testing', failed), { files: [failed] }, 'testing.ask-again'],
    ['answered questions are not asked again', at('analysis', questions), { files: [questions] }, 'analysis.ask-again'],
    [
      'new questions are',
      at('analysis', questions),
      { files: [file(questions.path, 'And VAT?')] },
      'analysis.questions',
    ],
    ['documents of the last round do not pass', at('analysis', ...four), { files: four }, 'analysis.ask-again'],
    [
      'an approval of other documents does not pass',
      {
        task: { stage: 'analysis' },
        visit: { approved: { by: 'Lead', commentId: 'c', artifacts: { ...hashes, '01-brd.md': 'other' } } },
      },
      { files: four },
      'analysis.ask-approval',
    ],
    [
      'a review of other code does not pass',
      { task: { stage: 'review' } },
      { reviews: seen({ author: 'orch', rows: [review({ sameCode: false })] }) },
      'review.waits',
    ],
    [
      'local tests of other code do not pass',
      { checks: [{ codeTree: 'tree-1', passed: true, detail: '', tail: '' }] },
      {},
      'development.check',
    ],
  ])('%s', (_name, start, proof, rule) => {
    const local = rule === 'development.check';
    const rules = policy({
      gates: {
        development: local ? 'tests-local' : 'ci-green',
        review: rule === 'review.waits' ? ['pr-approved'] : ['reviewer-verdict'],
      },
    });
    expect(mustDecide(snapshot(start), evidence(proof), rules).why.rule).toBe(rule);
  });

  it('a verdict about a commit with other code is asked for once more', () => {
    const decision = mustDecide(
      snapshot({ task: { stage: 'review' } }),
      evidence({ files: [approved], verdictCommit: seen({ named: sha('1'), sameCode: false }) }),
    );
    expect(jobs(decision)).toEqual(['reviewer:visit:3:2']);
  });

  it('CI contexts of the head code are all that counts, whatever older code got', () => {
    const decision = mustDecide(snapshot(), evidence({ rows: [status('ci', 'passed', 5)] }));
    expect(decision.why.evidence).toMatchObject({ code_tree: 'tree-2', ci: 'passed' });
  });

  function at(stage: 'analysis' | 'architecture' | 'review' | 'testing', ...old: ReturnType<typeof file>[]) {
    return { task: { stage }, visit: { baseline: before(...old) } };
  }
});

describe('approvals', () => {
  const waiting = {
    task: { stage: 'analysis', hold: held('approval') } as const,
    visit: { approval: { artifacts: hashes, key: 'k-1', askedAt: noon - minute } },
  };
  const yes = comment({ marker: { kind: 'approved' } });

  it('are asked for once for the same documents, and again for others', () => {
    const asked = mustDecide(snapshot({ task: { stage: 'analysis' } }), evidence({ files: four }));
    expect(noticesOf(asked)).toEqual(['approval_wanted@chat!+comment']);
    expect(asked.visit?.approval).toMatchObject({ artifacts: hashes, askedAt: null });
    expect(asked.effects.find((effect) => effect.key === asked.visit?.approval?.key)?.report).toBe(true);
    const s = snapshot({ task: asked.task, visit: asked.visit ?? {} });
    expect(decided(s, evidence({ files: four })).rule).toBe('rest');
    const changed = mustDecide(s, evidence({ files: [file('01-brd.md', 'corrected'), ...four.slice(1)] }));
    expect(noticeOf(changed, 'approval_wanted').artifacts).toEqual(fourDocuments);
    expect(changed.visit?.approval?.artifacts).not.toEqual(hashes);
  });

  it.each<[string, Parameters<typeof comment>[0], string, string[]]>([
    ['after the request', {}, 'comment.approved', []],
    ['at the moment of the request', { updatedAt: noon - minute }, 'comment.approved', []],
    ['before the request', { updatedAt: noon - 2 * minute }, 'comment.approval-too-old', ['approval_too_old@comment']],
    ['by somebody who may not', { allowed: false }, 'comment.not-allowed', ['may_not_approve@comment']],
  ])('%s', (_name, over, rule, events) => {
    const decision = mustDecide(snapshot({ ...waiting, message: { ...yes, ...over } }));
    expect(decision.why.rule).toBe(rule);
    expect(noticesOf(decision)).toEqual(events);
    expect(decision.visit?.approved?.commentId ?? null).toBe(rule === 'comment.approved' ? 'c-1' : null);
    expect(decision.task.stage).toBe('analysis');
  });

  it('by somebody who may not is answered once a person, one without a marker never', () => {
    const no = { ...yes, allowed: false, actor: 'u-guest', actorName: 'Guest' };
    const first = mustDecide(snapshot({ ...waiting, message: no }));
    expect(noticeOf(first, 'may_not_approve')).toEqual({ event: 'may_not_approve', by: 'Guest' });
    const visit = { ...waiting.visit, ...first.visit };
    expect(noticesOf(mustDecide(snapshot({ ...waiting, visit, message: { ...no, commentId: 'c-2' } })))).toEqual([]);
    expect(noticesOf(mustDecide(snapshot({ ...waiting, visit, message: { ...no, actor: 'u-2' } })))).toHaveLength(1);
    expect(noticesOf(mustDecide(snapshot({ ...waiting, message: { ...no, marker: null } })))).toEqual([]);
  });

  it.each<[string, Partial<typeof yes>, string]>([
    ['of a guest', { actorName: 'Guest' }, 'an approval of Guest counts for nothing: they may not approve'],
    [
      'that a guest wrote into the comment of somebody else',
      { actorName: 'Lead', rewrittenBy: 'Guest' },
      'an approval in the name of Lead counts for nothing: Guest, who may not approve, has rewritten the comment',
    ],
  ])('`orch why` says what happened to one %s', (_what, over, sentence) => {
    const decision = mustDecide(snapshot({ ...waiting, message: { ...yes, allowed: false, ...over } }));
    expect(decision.why.sentence).toBe(sentence);
    expect(noticeOf(decision, 'may_not_approve').by).toBe('Guest');
  });

  it('misspelt is answered, and counts as an ordinary comment', () => {
    const near = { ...yes, marker: null, nearMiss: ':aproved:' };
    const decision = mustDecide(snapshot({ ...waiting, message: near }));
    expect(noticeOf(decision, 'marker_unclear')).toEqual({ event: 'marker_unclear', said: ':aproved:' });
    expect(decision.visit?.approved).toBeNull();
    expect(noticesOf(mustDecide(snapshot({ ...waiting, message: { ...near, allowed: false } })))).toEqual([]);
  });

  it.each([
    ['counts when it is younger than the request', noon - minute, 'comment.approved', []],
    [
      'is too old when the request came after it',
      noon + minute,
      'comment.approval-too-old',
      ['approval_too_old@comment'],
    ],
  ])('seen before the delivery of the request is recorded: %s', (_name, at, rule, events) => {
    const visit = { approval: { artifacts: hashes, key: 'k-1', askedAt: null } };
    const seen = mustDecide(snapshot({ ...waiting, visit, message: yes }));
    expect([seen.why.rule, noticesOf(seen), seen.visit?.approved]).toEqual(['comment.approval-early', [], null]);
    const delivery = settled('tracker.comment', { key: 'k-1', result: { id: 'c', at } });
    const known = mustDecide(snapshot({ ...waiting, visit: seen.visit ?? {}, message: delivery }));
    expect([known.why.rule, noticesOf(known)]).toEqual([rule, events]);
    expect(known.visit?.approved?.commentId ?? null).toBe(rule === 'comment.approved' ? 'c-1' : null);
    expect(known.visit?.approval).toEqual({ artifacts: hashes, key: 'k-1', askedAt: at });
  });

  it('seen before the delivery of the request is recorded gives way to a rejection, and to a request for other documents', () => {
    const visit = { approval: { artifacts: hashes, key: 'k-1', askedAt: null } };
    const seen = mustDecide(snapshot({ ...waiting, visit, message: yes }));
    const no = comment({ marker: { kind: 'rejected', reason: 'too vague' } });
    expect(
      mustDecide(snapshot({ ...waiting, visit: seen.visit ?? {}, message: no })).visit?.approval?.early,
    ).toBeUndefined();
    const changed = mustDecide(
      snapshot({ task: seen.task, visit: seen.visit ?? {} }),
      evidence({ files: [file('01-brd.md', 'corrected'), ...four.slice(1)] }),
    );
    expect(noticesOf(changed)).toEqual(['approval_too_old@comment', 'approval_wanted@chat!+comment']);
    expect(changed.visit?.approval?.early).toBeUndefined();
  });

  it('the delivery of the request starts its time', () => {
    const visit = { approval: { artifacts: hashes, key: 'k-1', askedAt: null } };
    const known = mustDecide(
      snapshot({
        ...waiting,
        visit,
        message: settled('tracker.comment', { key: 'k-1', result: { id: 'c', at: 1234 } }),
      }),
    );
    expect(known.visit?.approval?.askedAt).toBe(1234);
    const other = mustDecide(
      snapshot({
        ...waiting,
        visit,
        message: settled('tracker.comment', { key: 'k-0', result: { id: 'c', at: 1234 } }),
      }),
    );
    expect(other.visit).toBeNull();
  });

  it('are asked for again when the request was refused and the card is moved, not when orch retry sends it again', () => {
    const visit = { approval: { artifacts: hashes, key: 'k-1', askedAt: null } };
    const hold = held('effect_refused');
    const task = {
      stage: 'analysis',
      hold,
      progress: progress({ shownHold: { phase: 'blocked', since: hold.since } }),
    } as const;
    const moved = mustDecide(snapshot({ task, visit }));
    expect(moved.visit?.approval).toBeNull();
    const retried = mustDecide(snapshot({ task, visit, message: { kind: 'command', name: 'retry', by: 'op' } }));
    expect(retried.task.hold).toBeNull();
    expect(retried.visit).toBeNull();
  });

  it('count once', () => {
    const approved = { by: 'Lead', commentId: 'c-0', artifacts: hashes };
    const decision = mustDecide(snapshot({ ...waiting, visit: { ...waiting.visit, approved }, message: yes }));
    expect(decision).toMatchObject({ visit: null, effects: [], why: { rule: 'comment.approved-already' } });
  });

  it.each(['created', 'architecture', 'development', 'review', 'testing', 'deploy'] as const)(
    'move nothing in %s; the answer says what the task waits for',
    (stage) => {
      const decision = mustDecide(
        snapshot({ task: { stage, visit: stage === 'created' ? 0 : 3 }, liveJob: job(), message: yes }),
      );
      expect(decision).toMatchObject({ jobs: [], visit: null, cancelJobs: [] });
      expect(noticesOf(decision)).toEqual(['not_waiting_for_approval@comment']);
      expect(noticeOf(decision, 'not_waiting_for_approval').waitsFor).toBe('the developer');
    },
  );
});

describe('late and double messages', () => {
  it.each<[string, Parameters<typeof ran>[0]]>([
    ['a success', {}],
    ['a failure', { exhausted: 'attempts', published: null }],
    ['work that could not be pushed', { published: null }],
    ['a check', { jobKind: 'check' }],
  ])('%s of a run of an earlier visit changes nothing', (_name, over) => {
    const decision = mustDecide(snapshot({ message: ran({ visit: 2, ...over }) }));
    expect(decision).toMatchObject({ visit: null, jobs: [], effects: [], handled: '11', why: { rule: 'run.late' } });
    expect(decision.task.hold).toBeNull();
  });

  it.each(['done', 'cancelled'] as const)('everything is consumed when the task is %s', (stage) => {
    for (const body of [ran(), comment(), { kind: 'command', name: 'retry', by: 'op' } as const]) {
      const decision = mustDecide(snapshot({ task: { stage }, message: body, item: null }));
      expect(decision).toMatchObject({ jobs: [], effects: [], handled: '11', why: { rule: 'message.late' } });
      expect(decision.task.stage).toBe(stage);
    }
  });

  it('the branch that is made twice starts one analyst', () => {
    const made = settled('git.start_branch', { result: { sha: sha('1'), codeTree: 'tree-1' } });
    expect(mustDecide(snapshot({ task: { stage: 'analysis' }, message: made }))).toMatchObject({
      jobs: [],
      visit: null,
    });
  });

  it('a merge that is settled after a poll saw it changes nothing', () => {
    const merge = { head: sha('2'), marker: 'm', merged: true, mergedSha: sha('9') };
    const s = snapshot({ task: { stage: 'deploy' }, visit: { merge }, message: settled('forge.merge_pull') });
    expect(mustDecide(s)).toMatchObject({ jobs: [], visit: null, effects: [] });
  });

  it('a refusal of a merge that happened changes nothing', () => {
    const merge = { head: sha('2'), marker: 'm', merged: true, mergedSha: sha('9') };
    const s = snapshot({
      task: { stage: 'deploy' },
      visit: { merge },
      message: settled('forge.merge_pull', { ok: false, error: 'no' }),
    });
    expect(mustDecide(s)).toMatchObject({ jobs: [], visit: null, why: { rule: 'effect.late' } });
  });

  it('a stopped run leaves the task free for what it was stopped for', () => {
    const stopped = ran({ exhausted: 'cancelled', published: null, outcome: outcome({ kind: 'cancelled' }) });
    const decision = mustDecide(snapshot({ visit: { finished: null }, message: stopped }));
    expect(decision.task.hold).toBeNull();
    expect(decision.jobs).toEqual([]);
  });

  it('every message is handled, whatever it says', () => {
    for (const body of [
      ran(),
      comment(),
      settled('forge.open_pull', { result: { number: 8 } }),
      settled('tracker.comment', { ok: false, error: 'HTTP 400' }),
      settled('chat.message', { ok: false, error: 'HTTP 400' }),
      { kind: 'command', name: 'pause', by: 'op' } as const,
      { kind: 'job_refused', jobId: '9' as never, role: 'developer', reason: 'run_cap' } as const,
    ]) {
      expect(mustDecide(snapshot({ message: body })).handled).toBe('11');
    }
  });
});

describe('comments as messages', () => {
  const facts = { at: noon, states: [], labels: {}, members: [person('lead', 'member'), person('guest', 'guest')] };
  const written = (over: Partial<ItemComment> = {}): ItemComment => ({
    id: 'c-1',
    actor: 'lead',
    updatedBy: null,
    html: '<p>hello</p>',
    externalSource: null,
    externalId: null,
    updatedAt: noon,
    ...over,
  });
  const key = (over: Partial<ItemComment>) =>
    messagesOf([written(over)], taskId, policy(), facts).map((message) => message.sourceKey)[0];

  it('an edit that adds the marker counts, other edits do not', () => {
    expect(key({})).toBe('comment:c-1');
    expect(key({ html: '<p>other words</p>', updatedAt: noon + 1 })).toBe('comment:c-1');
    expect(key({ html: '<p>:approved:</p>' })).toBe('comment:c-1:approved');
    expect(key({ html: '<p>:approved: edited</p>' })).toBe('comment:c-1:approved');
    expect(key({ html: '<p>:approved:</p><p>:rejected: no</p>' })).toBe('comment:c-1:rejected');
  });

  it('author and last editor both have to be allowed', () => {
    const allowed = (over: Partial<ItemComment>) =>
      messagesOf([written(over)], taskId, policy(), facts).map(
        ({ body }) => body.kind === 'comment' && body.allowed,
      )[0];
    expect(allowed({})).toBe(true);
    expect(allowed({ updatedBy: 'lead' })).toBe(true);
    expect(allowed({ actor: 'guest' })).toBe(false);
    expect(allowed({ updatedBy: 'guest' })).toBe(false);
    expect(allowed({ updatedBy: 'stranger' })).toBe(false);
    const rewrittenBy = (over: Partial<ItemComment>) =>
      messagesOf([written(over)], taskId, policy(), facts).map(
        ({ body }) => body.kind === 'comment' && body.rewrittenBy,
      )[0];
    expect([{ updatedBy: 'guest' }, { updatedBy: 'x' }, { actor: 'guest' }, {}].map(rewrittenBy)).toEqual([
      person('guest', 'guest').displayName,
      'x',
      undefined,
      undefined,
    ]);
  });

  it('the text is Markdown, with the names of people', () => {
    const html =
      '<p>ask <mention-component entity_identifier="guest"></mention-component></p><ul><li>:aproved:</li></ul>';
    expect(messagesOf([written({ html })], taskId, policy(), facts)[0]?.body).toMatchObject({
      text: 'ask @guest\n\n- :aproved:',
      marker: null,
      nearMiss: ':aproved:',
    });
  });

  it('who may approve has a name', () => {
    expect(approverNames(policy({ approvers: [] }), facts)).toEqual(['lead']);
    expect(approverNames(policy({ approvers: ['guest@example.org', 'boss@example.org'] }), facts)).toEqual([
      'guest',
      'boss@example.org',
    ]);
  });

  it("a guest's marker does not use up the author's own", () => {
    expect(key({ html: '<p>:approved:</p>', updatedBy: 'guest' })).not.toBe(key({ html: '<p>:approved:</p>' }));
  });

  it("orch's own never count, and the order is Plane's own", () => {
    const own = written({ id: 'c-0', externalSource: 'orch', html: '<p>:approved:</p>' });
    const late = written({ id: 'c-9', updatedAt: noon + 5 });
    const messages = messagesOf([late, own, written()], taskId, policy(), facts);
    expect(messages.map((message) => message.sourceKey)).toEqual(['comment:c-1', 'comment:c-9']);
  });

  function person(id: string, role: Person['role']) {
    return { id, email: `${id}@example.org`, displayName: id, role };
  }
});
