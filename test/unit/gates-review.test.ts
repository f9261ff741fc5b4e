import { describe, expect, it } from 'vitest';
import type { StatusRow } from '../../src/core/model/index.ts';
import { failedContexts, judgeCi, newestPerContext } from '../../src/core/pipeline/gates/ci-green.ts';
import { judgePrReviews, votes, type ReviewOnCode } from '../../src/core/pipeline/gates/pr-approved.ts';
import { judgeDocument } from '../../src/core/pipeline/gates/document.ts';
import { reviewerVerdict } from '../../src/core/pipeline/stages/review.ts';
import { testResult } from '../../src/core/pipeline/stages/testing.ts';
import { hashesOf } from '../../src/core/pipeline/artifacts.ts';
import { file, review, seen, sha, status, unseen, visit } from '../support/snapshots.ts';

describe('ci-green', () => {
  it.each<[string, StatusRow[], string[], string, RegExp]>([
    ['one green', [status('test', 'passed')], [], 'pass', /green: test/],
    ['none', [], [], 'pending', /no CI status reported yet/],
    ['one waits', [status('a', 'passed'), status('b', 'pending')], [], 'pending', /not finished: b/],
    ['one red', [status('a', 'failed'), status('b', 'passed')], [], 'fail', /failed: a$/],
    ['red wins over waiting', [status('a', 'failed'), status('b', 'pending')], [], 'fail', /failed: a$/],
    ['skipped', [status('a', 'skipped'), status('b', 'passed')], [], 'pass', /green/],
    ['skipped although required', [status('a', 'skipped')], ['a'], 'fail', /failed: a/],
    ['required and green', [status('a', 'passed')], ['a'], 'pass', /green: a$/],
    ['required and missing', [status('b', 'passed')], ['a'], 'pending', /no CI status|not finished: a/],
    ['one of two required is missing', [status('b', 'passed')], ['a', 'b'], 'pending', /not finished: a/],
    ['what is not required may be red', [status('a', 'passed'), status('b', 'failed')], ['a'], 'pass', /green: a$/],
    ['the newest is green', [status('a', 'failed', 1), status('a', 'passed', 2)], [], 'pass', /green/],
    ['the newest is red', [status('a', 'passed', 1), status('a', 'failed', 2)], [], 'fail', /failed/],
    ['the newest by id, in any order', [status('a', 'passed', 9), status('a', 'failed', 3)], [], 'pass', /green/],
    ['a new run waits', [status('a', 'passed', 1), status('a', 'pending', 2)], [], 'pending', /not finished: a/],
  ])('%s', (_name, rows, required, wanted, reason) => {
    const verdict = judgeCi(rows, required, 'tree-2');
    expect(verdict.status).toBe(wanted);
    expect(verdict.reason).toMatch(reason);
    expect(verdict.subject['code_tree']).toBe('tree-2');
  });

  it('answers the same in any order of the rows', () => {
    const rows = [
      status('a', 'failed', 1),
      status('a', 'passed', 4),
      status('b', 'pending', 2),
      status('b', 'failed', 3),
    ];
    expect(judgeCi([...rows].reverse(), [], 't')).toEqual(judgeCi(rows, [], 't'));
    expect(newestPerContext(rows).map((row) => row.id)).toEqual([4, 3]);
  });

  it('hands on the failed contexts only', () => {
    const rows = [status('a', 'failed'), status('b', 'passed'), status('c', 'skipped'), status('d', 'failed')];
    expect(failedContexts(rows, []).map((row) => row.context)).toEqual(['a', 'd']);
    expect(failedContexts(rows, ['b', 'c']).map((row) => row.context)).toEqual(['c']);
  });
});

describe('reviewer-verdict', () => {
  const judge = (text: string, commit: Parameters<typeof judgeDocument>[3] = seen(null)) =>
    judgeDocument(reviewerVerdict, visit({ stage: 'review' }), [file('12-review.md', text)], commit);

  it.each<[string, string, string, boolean]>([
    ['APPROVED', '---\nverdict: APPROVED\n---\nGood.', 'pass', true],
    ['lower case', '---\nverdict: approved\n---\n', 'pass', true],
    ['key in other case', '---\nVerdict: Approved\n---\n', 'pass', true],
    ['REQUEST_CHANGES', '---\nverdict: REQUEST_CHANGES\n---\n', 'fail', true],
    ['request_changes', '---\nverdict: request_changes\n---\n', 'fail', true],
    ['quoted', '---\nverdict: "APPROVED"\n---\n', 'pass', true],
    ['CRLF', '---\r\nverdict: APPROVED\r\n---\r\nGood.\r\n', 'pass', true],
    ['byte order mark', '\uFEFF---\nverdict: APPROVED\n---\n', 'pass', true],
    ['ends with the front matter', '---\nverdict: APPROVED\n---', 'pass', true],
    ['words in prose do not count', '---\nverdict: APPROVED\n---\nREQUEST_CHANGES was last time', 'pass', true],
    ['a table does not count', '# Review\n\n| verdict | APPROVED |\n', 'fail', false],
    ['prose does not count', 'verdict: APPROVED\n', 'fail', false],
    ['front matter further down does not count', '# Review\n---\nverdict: APPROVED\n---\n', 'fail', false],
    ['front matter that does not end', '---\nverdict: APPROVED\n', 'fail', false],
    ['no verdict key', '---\nsummary: APPROVED\n---\n', 'fail', false],
    ['an unknown verdict', '---\nverdict: LGTM\n---\n', 'fail', false],
    ['an empty verdict', '---\nverdict:\n---\n', 'fail', false],
    ['a list is no verdict', '---\nverdict: [APPROVED]\n---\n', 'fail', false],
    ['broken YAML', '---\nverdict: APPROVED\n  : [\n---\n', 'fail', false],
    ['both verdicts', '---\nverdict: APPROVED\nverdict: REQUEST_CHANGES\n---\n', 'fail', false],
    ['both, in two cases', '---\nVerdict: REQUEST_CHANGES\nverdict: APPROVED\n---\n', 'fail', false],
  ])('%s', (_name, text, wanted, readable) => {
    expect(judge(text)).toMatchObject({ status: wanted, readable });
  });

  it('says why it cannot be read', () => {
    expect(judge('---\nverdict: APPROVED\ntitle: Review: x\n---\n').reason).toBe(
      'the front matter of 12-review.md cannot be read: line 3: Nested mappings are not allowed in compact mappings',
    );
  });

  it('counts for the code of the head only', () => {
    const text = `---\nverdict: APPROVED\ncommit: ${sha('2')}\n---\n`;
    expect(judge(text, seen({ named: sha('2'), sameCode: true }))).toMatchObject({ status: 'pass' });
    expect(judge(text, seen({ named: sha('1'), sameCode: false }))).toMatchObject({ status: 'fail', readable: false });
    expect(judge(text, unseen())).toMatchObject({ status: 'pending', reason: 'Gitea does not answer' });
  });

  it('never counts what stood there before the visit', () => {
    const old = file('12-review.md', '---\nverdict: APPROVED\n---\n');
    const stay = visit({ baseline: { sha: sha('1'), artifacts: hashesOf([old]), codeTree: 't' } });
    expect(judgeDocument(reviewerVerdict, stay, [old], seen(null))).toMatchObject({ status: 'fail', readable: false });
    const changed = file('12-review.md', '---\nverdict: APPROVED\n---\nonce more');
    expect(judgeDocument(reviewerVerdict, stay, [changed], seen(null))).toMatchObject({
      status: 'pass',
      subject: { '12-review.md': changed.blob, verdict: 'APPROVED' },
    });
    expect(judgeDocument(reviewerVerdict, stay, [], seen(null))).toMatchObject({ status: 'fail', readable: false });
  });

  it('cuts an unknown verdict that would fill the screen', () => {
    expect(judge(`---\nverdict: ${'x'.repeat(500)}\n---\n`).reason.length).toBeLessThan(100);
  });
});

describe('pr-approved', () => {
  const approve = (over: Partial<ReviewOnCode> = {}): ReviewOnCode => review(over);
  const refuse = (over: Partial<ReviewOnCode> = {}): ReviewOnCode => review({ state: 'changes_requested', ...over });
  it.each<[string, ReviewOnCode[], string]>([
    ['approved', [approve()], 'pass'],
    ['no review', [], 'pending'],
    ['a comment is no vote', [review({ state: 'commented' })], 'pending'],
    ["the author's own", [approve({ user: 'orch' })], 'pending'],
    ['changes requested', [refuse()], 'fail'],
    ['one for, one against', [approve(), refuse({ id: 2, user: 'ben' })], 'fail'],
    ['against, then for', [refuse(), approve({ id: 2 })], 'pass'],
    ['for, then against', [approve(), refuse({ id: 2 })], 'fail'],
    ['newest by id, in any order', [approve({ id: 2 }), refuse({ id: 1 })], 'pass'],
    ['a later comment leaves the vote', [approve(), review({ id: 2, state: 'commented' })], 'pass'],
    ['asked again after an approval', [approve(), review({ id: 2, state: 'review_requested' })], 'pending'],
    ['asked again after a refusal', [refuse(), review({ id: 2, state: 'review_requested' })], 'pending'],
    [
      'asked again, then approved',
      [refuse(), review({ id: 2, state: 'review_requested' }), approve({ id: 3 })],
      'pass',
    ],
    ['asked somebody else', [approve(), review({ id: 2, user: 'ben', state: 'review_requested' })], 'pass'],
    ['dismissed', [approve({ dismissed: true })], 'pending'],
    ['a dismissed refusal', [refuse({ dismissed: true }), approve({ id: 2, user: 'ben' })], 'pass'],
    ['the older vote does not come back', [approve(), refuse({ id: 2, dismissed: true })], 'pending'],
    ['approved by somebody who may not write', [approve({ counts: false })], 'pending'],
    ['refused by somebody who may not write', [refuse({ counts: false }), approve({ id: 2, user: 'ben' })], 'pass'],
    ['nobody but a stranger', [refuse({ counts: false })], 'pending'],
    ['approved other code', [approve({ sameCode: false })], 'pending'],
    ['refused other code', [refuse({ sameCode: false }), approve({ id: 2, user: 'ben' })], 'pass'],
  ])('%s', (_name, rows, wanted) => {
    expect(judgePrReviews('orch', rows).status).toBe(wanted);
  });

  it('names who voted on what', () => {
    const verdict = judgePrReviews('orch', [approve(), refuse({ id: 2, user: 'ben' })]);
    expect(verdict.reason).toBe('changes requested by ben');
    expect(verdict.subject).toEqual({
      'review:1': `approved by anna on ${sha('2')}`,
      'review:2': `changes_requested by ben on ${sha('2')}`,
    });
    expect(votes('anna', [approve()])).toEqual([]);
  });
});

describe('tests-passed', () => {
  const judge = (text: string) =>
    judgeDocument(testResult, visit({ stage: 'testing' }), [file('13-test-report.md', text)], undefined);
  it.each<[string, string, string, boolean]>([
    ['PASS', '---\nresult: PASS\n---\n', 'pass', true],
    ['pass', '---\nresult: pass\n---\n', 'pass', true],
    ['FAIL', '---\nresult: FAIL\n---\nPASS everywhere else', 'fail', true],
    ['CRLF and byte order mark', '\uFEFF---\r\nresult: PASS\r\n---\r\n', 'pass', true],
    ['prose does not count', 'All tests passed. PASS', 'fail', false],
    ['a table does not count', '| result | PASS |', 'fail', false],
    ['another word', '---\nresult: PASSED\n---\n', 'fail', false],
    ['no result key', '---\nverdict: PASS\n---\n', 'fail', false],
    ['both, in two cases', '---\nResult: FAIL\nresult: PASS\n---\n', 'fail', false],
    ['no file text', '', 'fail', false],
  ])('%s', (_name, text, wanted, readable) => {
    expect(judge(text)).toMatchObject({ status: wanted, readable });
  });

  it('never counts the report of the last round', () => {
    const old = file('13-test-report.md', '---\nresult: PASS\n---\n');
    const stay = visit({ baseline: { sha: sha('1'), artifacts: hashesOf([old]), codeTree: 't' } });
    expect(judgeDocument(testResult, stay, [old], undefined)).toMatchObject({ status: 'fail', readable: false });
  });
});
