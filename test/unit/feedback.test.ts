import { describe, expect, it } from 'vitest';
import type { Feedback, LineRemark, Stage, Thread, Word } from '../../src/core/model/index.ts';
import { decide } from '../../src/core/pipeline/decide.ts';
import { answerMark, handedOn, isOwnText, keyMark, threadsOf, withoutMarks } from '../../src/core/pipeline/feedback.ts';
import { parseResult } from '../../src/core/launcher/result.ts';
import { answerTexts } from '../../src/core/engine/messages/answers.ts';
import { english } from '../../src/core/engine/messages/en.ts';
import { russian } from '../../src/core/engine/messages/ru.ts';
import {
  evidence,
  file,
  mustDecide,
  noon,
  outcome,
  policy,
  progress,
  ran,
  review,
  seen,
  sha,
  snapshot,
  unseen,
} from '../support/snapshots.ts';

function remark(id: number, over: Partial<LineRemark> = {}): LineRemark {
  return {
    id,
    review: 1,
    commit: sha('2'),
    user: 'anna',
    path: 'src/cart.ts',
    line: 4,
    old: false,
    code: '@@ -1,0 +1,2 @@\n+a\n+b',
    text: `remark ${id}`,
    resolved: false,
    at: id,
    ...over,
  };
}

const writers = new Set(['anna', 'ben', 'orch']);
const grouped = (remarks: LineRemark[]): [string, ...string[]][] =>
  threadsOf(
    remarks,
    ({ user, text }) => user === 'orch' && isOwnText(text),
    (user) => writers.has(user),
  ).map(({ id, said }) => [id, ...said.map(({ user, text, own }) => `${own ? 'own ' : ''}${user}: ${text}`)]);

describe('threads', () => {
  const answer = (id: number, thread: string, over: Partial<LineRemark> = {}): LineRemark =>
    remark(id, { review: 2, user: 'orch', text: `done ${id}\n\n${answerMark(thread)}`, ...over });

  it.each<[string, LineRemark[], [string, ...string[]][]]>([
    ['none', [], []],
    ['in whatever order they come', [remark(2), remark(1)], [['t1', 'anna: remark 1', 'anna: remark 2']]],
    [
      'two lines are two',
      [remark(1), remark(2, { line: 5 })],
      [
        ['t1', 'anna: remark 1'],
        ['t2', 'anna: remark 2'],
      ],
    ],
    [
      'the same number before and after the change',
      [remark(1), remark(2, { old: true })],
      [
        ['t1', 'anna: remark 1'],
        ['t2', 'anna: remark 2'],
      ],
    ],
    [
      'two reviews of one line are two',
      [remark(1), remark(2, { review: 9, user: 'ben' })],
      [
        ['t1', 'anna: remark 1'],
        ['t2', 'ben: remark 2'],
      ],
    ],
    ['a resolved one is left out', [remark(1, { resolved: true }), remark(2)], []],
    ['a stranger is not heard', [remark(1, { user: 'eve' })], []],
    [
      'a stranger in between is not heard',
      [remark(1), remark(2, { user: 'eve' }), remark(3)],
      [['t1', 'anna: remark 1', 'anna: remark 3']],
    ],
    [
      'an answer of orch belongs to its thread',
      [remark(1), answer(2, 't1')],
      [['t1', 'anna: remark 1', 'own orch: done 2']],
    ],
    [
      'and what is said below it',
      [remark(1), answer(2, 't1'), remark(3, { review: 2 })],
      [['t1', 'anna: remark 1', 'own orch: done 2', 'anna: remark 3']],
    ],
    ['resolved at the answer', [remark(1), answer(2, 't1', { resolved: true })], []],
    ['a person cannot speak as orch', [remark(1, { text: answerMark('t9') })], [['t1', `anna: ${answerMark('t9')}`]]],
    ['a person with the account of orch is heard', [remark(1, { user: 'orch' })], [['t1', 'orch: remark 1']]],
  ])('%s', (_name, remarks, wanted) => {
    expect(grouped(remarks)).toEqual(wanted);
  });
});

const thread: Thread = {
  id: 't1',
  path: 'src/cart.ts',
  line: 4,
  old: false,
  commit: sha('2'),
  code: '@@\n+total',
  said: [{ user: 'anna', text: 'Name it sum.', own: false }],
  answered: false,
};
const word: Word = { id: 'c8', user: 'ben', text: 'Mind the cents.', number: 8, from: 'comment' };
const feedback = (over: Partial<Feedback> = {}): Feedback => ({
  threads: [thread],
  words: [word],
  missing: [],
  ...over,
});

describe('what is handed on', () => {
  it('every thread with its code, words since the last time, and where to answer', () => {
    const given = handedOn(feedback(), progress({}));
    expect(given.sections).toEqual([
      { title: 'Thread t1: src/cart.ts, line 4', text: 'The code:\n@@\n+total\n\nanna:\nName it sum.' },
      { title: 'Comment on the pull request by ben (thread c8)', text: 'Mind the cents.' },
    ]);
    expect(given.threads).toEqual([
      {
        id: 't1',
        at: { path: 'src/cart.ts', line: 4, old: false, commit: sha('2') },
        user: 'anna',
        quote: 'Name it sum.',
        owed: true,
      },
      { id: 'c8', at: null, user: 'ben', quote: 'Mind the cents.', owed: false },
    ]);
    expect(given.heard).toEqual({ review: 0, comment: 8 });
    const again = handedOn(feedback(), { ...progress({}), heard: given.heard });
    expect(again.threads.map(({ id }) => id)).toEqual(['t1']);
    expect(again.heard).toEqual(given.heard);
  });

  it('an answered thread is shown as such and owed nothing', () => {
    const said = [...thread.said, { user: 'orch', text: 'It is sum now.', own: true }];
    const given = handedOn(feedback({ threads: [{ ...thread, said, answered: true }], words: [] }), progress({}));
    expect(given.sections[0]?.title).toContain('answered before');
    expect(given.sections[0]?.text).toContain('Your answer of an earlier round:\nIt is sum now.');
    expect(given.threads[0]?.owed).toBe(false);
  });

  it('is cut to a size, whatever people write, and says what is missing', () => {
    const long = 'x'.repeat(100_000);
    const threads = Array.from({ length: 200 }, (_, n) => ({
      ...thread,
      id: `t${n}`,
      path: long,
      code: long,
      said: [{ user: 'anna', text: long, own: false }],
    }));
    const given = handedOn(feedback({ threads, missing: ['No comments.'] }), progress({}));
    const all = given.sections.map(({ title, text }) => title + text).join('');
    expect(all.length).toBeLessThan(70_000);
    expect(given.sections.at(-1)?.text).toMatch(/^No comments\.\n\d+ more remarks are too long/);
    expect(given.threads.every(({ quote }) => quote.length <= 200)).toBe(true);
  });
});

describe('a standing request for changes', () => {
  const against = seen({ author: 'orch', rows: [review({ state: 'changes_requested', body: '' })] });
  const inStage = (stage: Stage) => snapshot({ task: { stage, prNumber: 7 } });
  const approved = file('12-review.md', '---\nverdict: APPROVED\n---\n');
  const passed = file('13-test-report.md', '---\nresult: PASS\n---\n');

  it.each<[Stage]>([['development'], ['review'], ['testing'], ['deploy']])(
    'sends the task back from %s, whatever the policy, with the remarks at the lines',
    (stage) => {
      const decision = mustDecide(
        inStage(stage),
        evidence({ files: [approved, passed], reviews: against, feedback: seen(feedback()) }),
      );
      expect(decision.why.rule).toBe(`${stage}.changes-requested`);
      expect(decision.task.stage).toBe('development');
      expect(decision.jobs[0]?.orders).toMatchObject({ threads: ['t1', 'c8'] });
      expect(decision.jobs[0]?.orders.sections.map(({ text }) => text).join()).toContain('Name it sum.');
      expect(decision.effects.flatMap(({ body }) => (body.kind === 'forge.merge_pull' ? [body] : []))).toEqual([]);
    },
  );

  it.each<[string, Parameters<typeof review>[0]]>([
    ['of somebody who may not write', { counts: false }],
    ['of older code', { sameCode: false }],
    ['that was dismissed', { dismissed: true }],
  ])('one %s does not', (_name, over) => {
    const rows = [review({ state: 'changes_requested', ...over })];
    const decision = mustDecide(
      inStage('testing'),
      evidence({ files: [passed], reviews: seen({ author: 'orch', rows }) }),
    );
    expect(decision.task.stage).toBe('deploy');
  });

  it('reads the remarks before it sends back, and waits while they cannot be read', () => {
    const { feedback: _none, ...unread } = evidence({ reviews: against });
    const step = decide(inStage('development'), unread, policy(), noon);
    expect(step).toEqual({ kind: 'look', needs: ['feedback'] });
    const held = mustDecide(inStage('development'), evidence({ reviews: against, feedback: unseen() }));
    expect(held.task.hold?.cause).toBe('cannot_see');
  });

  it('what is not a request goes along with the next run of the developer, and a failed read stops no other', () => {
    const red = { rows: [{ id: 1, context: 'ci', state: 'failed' as const, description: '', url: '' }] };
    const decision = mustDecide(inStage('development'), evidence({ ...red, feedback: seen(feedback()) }));
    expect(decision.why.rule).toBe('development.red-code');
    expect(decision.jobs[0]?.orders.threads).toEqual(['t1', 'c8']);
    expect(decision.visit?.sections.map(({ title }) => title)).toEqual(['CI context ci: failed']);
    const blind = mustDecide(inStage('development'), evidence({ ...red, feedback: unseen('it is down') }));
    expect(blind.jobs[0]?.orders.sections.at(-1)?.text).toContain('it is down');
  });
});

describe('answers', () => {
  const places = handedOn(feedback(), progress({}));
  const visit = { threads: places.threads, heard: places.heard };
  const finished = (answers?: { thread: string; text: string }[]) =>
    mustDecide(
      snapshot({
        task: { prNumber: 7 },
        visit,
        message: ran({
          published: { sha: sha('3'), committed: true, outOfScope: [] },
          outcome: outcome({
            result: { status: 'success', summary: '', rolledBack: null, ...(answers === undefined ? {} : { answers }) },
          }),
        }),
      }),
    );

  it('one effect for a run, with a word in each thread, and what was heard is not heard again', () => {
    const decision = finished([
      { thread: 'c8', text: 'Cents are whole now.' },
      { thread: 'nonsense', text: 'x' },
    ]);
    const posted = decision.effects.flatMap(({ body }) => (body.kind === 'forge.answer_threads' ? [body] : []));
    expect(posted).toHaveLength(1);
    expect(posted[0]).toMatchObject({ number: 7, head: sha('3') });
    expect(posted[0]?.answers.map(({ id, text }) => [id, text])).toEqual([
      ['t1', null],
      ['c8', 'Cents are whole now.'],
    ]);
    expect(decision.task.progress.heard).toEqual({ review: 0, comment: 8 });
    expect(decision.visit).not.toHaveProperty('threads');
  });

  it('says in a thread that the agent left without a word that it did', () => {
    const { effects } = finished();
    const body = effects.map((one) => one.body).find((one) => one.kind === 'forge.answer_threads');
    if (body === undefined) throw new Error('no answer');
    const { lines, text } = answerTexts(body, english, 'db:ET-012/4/answers');
    expect(lines).toEqual([
      {
        path: 'src/cart.ts',
        line: 4,
        old: false,
        commit: sha('2'),
        text: `${english.answers.silent}\n\n${answerMark('t1')}`,
      },
    ]);
    expect(text).toContain(keyMark('db:ET-012/4/answers'));
    expect(russian.answers.silent).not.toBe(english.answers.silent);
  });

  it('an agent cannot write the marks itself', () => {
    const forged = `${answerMark('t2')} ${keyMark('db:ET-012/9/answers')}`;
    expect(isOwnText(withoutMarks(forged))).toBe(false);
    const { lines } = answerTexts(
      {
        kind: 'forge.answer_threads',
        repo: policy().repo,
        number: 7,
        head: sha('3'),
        answers: [{ ...(places.threads[0] as (typeof places.threads)[number]), text: forged }],
      },
      english,
      'k',
    );
    expect(lines[0]?.text.match(/<!--/g)).toHaveLength(1);
  });

  it.each<[string, unknown, unknown]>([
    ['a list', [{ thread: 't1', text: 'done' }], [{ thread: 't1', text: 'done' }]],
    ['an object', { t1: 'done' }, [{ thread: 't1', text: 'done' }]],
    ['other capitals', [{ Thread: 't1', TEXT: 'done' }], [{ thread: 't1', text: 'done' }]],
    [
      'lines stay lines, control characters go',
      [{ thread: 't1', text: 'a\nb\u202e' }],
      [{ thread: 't1', text: 'a\nb' }],
    ],
    ['no text', [{ thread: 't1' }, { thread: 't2', text: ' ' }, 7, null], undefined],
    ['no list', 'done', undefined],
  ])('result.json: %s', (_name, answers, wanted) => {
    const bytes = Buffer.from(JSON.stringify({ status: 'success', summary: 's', answers }));
    expect(parseResult(bytes).result?.answers).toEqual(wanted);
  });
});
