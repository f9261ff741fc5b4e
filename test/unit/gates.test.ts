import { describe, expect, it } from 'vitest';
import type { Artifact, Snapshot } from '../../src/core/model/index.ts';
import { hashesOf } from '../../src/core/pipeline/artifacts.ts';
import { judgeLocalTests } from '../../src/core/pipeline/gates/tests-local.ts';
import { judgeAnalysis } from '../../src/core/pipeline/stages/analysis.ts';
import { approvalSubject } from '../../src/core/pipeline/rules/approval.ts';
import { judgeArchitecture } from '../../src/core/pipeline/stages/architecture.ts';
import { judgeIntake } from '../../src/core/pipeline/stages/created.ts';
import { judgeDeployed } from '../../src/core/pipeline/stages/deploy.ts';
import { file, fourDocuments, item, sha, visit } from '../support/snapshots.ts';

const description = '<p>The cart shows a wrong total.</p>';

describe('intake (QG-0)', () => {
  it.each<[string, string, string, string]>([
    ['title of 4', 'Cart', description, 'title_short'],
    ['title of 5', 'Carts', description, ''],
    ['title of 80', 'x'.repeat(80), description, ''],
    ['title of 81', 'x'.repeat(81), description, 'title_long'],
    ['title of 5 with spaces around', '   Carts   ', description, ''],
    ['title of 4 with spaces around', '   Cart   ', description, 'title_short'],
    ['80 Cyrillic letters', 'я'.repeat(80), description, ''],
    ['81 Cyrillic letters', 'я'.repeat(81), description, 'title_long'],
    ['5 emoji are 5 characters', '🚀🚀🚀🚀🚀', description, ''],
    ['description of 19', 'Carts', 'x'.repeat(19), 'description_short'],
    ['description of 20', 'Carts', 'x'.repeat(20), ''],
    ['20 letters only with their tags', 'Carts', '<p><strong>short text</strong></p>', 'description_short'],
    ['20 Cyrillic letters', 'Carts', `<p>${'я'.repeat(20)}</p>`, ''],
    ['an entity is one character', 'Carts', `<p>${'&amp;'.repeat(19)}</p>`, 'description_short'],
    ['spaces are no text', 'Carts', `<p>${'&nbsp; '.repeat(30)}</p>`, 'description_short'],
    ['a script is no text', 'Carts', `<script>${'x'.repeat(60)}</script>`, 'description_short'],
    ['an empty description', 'Carts', '', 'description_short'],
    ['everything that is missing at once', 'Cart', '', 'title_short, description_short'],
  ])('%s', (_name, name, descriptionHtml, defects) => {
    const verdict = judgeIntake(item({ name, descriptionHtml }));
    expect(verdict.status).toBe(defects === '' ? 'pass' : 'fail');
    if (defects !== '') expect(verdict.reason).toBe(defects);
    expect(verdict.subject).toEqual({ item: item().itemId });
  });
});

describe('analysis-approved', () => {
  const four = fourDocuments.map((path) => file(path));
  const before = hashesOf(fourDocuments.map((path) => file(path, 'of the last round')));
  const approved = (artifacts: Artifact[]) => ({
    by: 'Lead',
    commentId: 'c-9',
    artifacts: approvalSubject(artifacts),
  });
  const stay = (over: Parameters<typeof visit>[0] = {}) =>
    visit({ stage: 'analysis', baseline: { sha: sha('1'), artifacts: before, codeTree: 't' }, ...over });

  it('passes the four documents that were approved, and names them and the comment', () => {
    const verdict = judgeAnalysis(stay({ approved: approved(four) }), four);
    expect(verdict).toMatchObject({ status: 'pass', reason: 'approved by Lead' });
    expect(verdict.subject).toEqual({ ...approvalSubject(four), comment: 'c-9' });
  });

  it.each<[string, Artifact[], Parameters<typeof visit>[0], string, RegExp]>([
    ['no approval yet', four, {}, 'pending', /waits for the approval/],
    ['no file at all', [], {}, 'fail', /01-brd\.md, 02-trz\.md, 03-acceptance-criteria\.md, 04-test-plan\.yaml/],
    ['three of four', four.slice(0, 3), {}, 'fail', /^missing or empty: 04-test-plan\.yaml$/],
    ['one is empty', [...four.slice(0, 3), file('04-test-plan.yaml', '')], {}, 'fail', /04-test-plan\.yaml/],
    ['all from the last round, approval and all', four, oldRound(four), 'fail', /none of the four/],
    [
      'approved, then a document changed',
      [file('01-brd.md', 'changed afterwards'), ...four.slice(1)],
      { approved: approved(four) },
      'pending',
      /waits/,
    ],
    [
      'other files of the folder change nothing',
      [...four, file('notes.md')],
      { approved: approved(four) },
      'pass',
      /approved/,
    ],
    [
      'one changed document is enough',
      [file('01-brd.md'), ...fourDocuments.slice(1).map((path) => file(path, 'of the last round'))],
      {},
      'pending',
      /waits/,
    ],
  ])('%s', (_name, artifacts, over, wanted, reason) => {
    const verdict = judgeAnalysis(stay(over), artifacts);
    expect(verdict.status).toBe(wanted);
    expect(verdict.reason).toMatch(reason);
  });

  function oldRound(artifacts: Artifact[]) {
    return {
      approved: approved(artifacts),
      baseline: { sha: sha('1'), artifacts: hashesOf(artifacts), codeTree: 't' },
    };
  }
});

describe('architecture-done', () => {
  const adr = file('06-adr/0001-totals.md');
  const infra = file('07-infra-requirements.md');
  const conflict = file('10-conflict.md');
  it.each<[string, Artifact[], Artifact[], string]>([
    ['a new decision record', [adr], [], 'pass'],
    ['new infrastructure requirements', [infra], [], 'pass'],
    ['a changed decision record', [file(adr.path, 'changed')], [adr], 'pass'],
    ['nothing', [], [], 'fail'],
    ['the old decision record', [adr], [adr], 'fail'],
    ['the old infrastructure requirements', [infra], [infra], 'fail'],
    ['an empty new record', [file(adr.path, '')], [], 'fail'],
    ['a folder of another name', [file('06-adrs/x.md')], [], 'fail'],
    ['a new conflict', [conflict], [], 'fail'],
    ['a new conflict and a new record', [adr, conflict], [], 'fail'],
    ['a handled conflict and a new record', [adr, conflict], [conflict], 'pass'],
    ['a changed conflict', [adr, file(conflict.path, 'again')], [conflict], 'fail'],
    ['an empty conflict file', [adr, file(conflict.path, '')], [], 'pass'],
  ])('%s', (_name, now, before, wanted) => {
    const stay = visit({
      stage: 'architecture',
      baseline: { sha: sha('1'), artifacts: hashesOf(before), codeTree: 't' },
    });
    expect(judgeArchitecture(stay, now).status).toBe(wanted);
  });

  it('names what was judged', () => {
    expect(judgeArchitecture(visit(), [adr, infra]).subject).toEqual(hashesOf([adr, infra]));
    expect(judgeArchitecture(visit(), [adr, conflict]).subject).toEqual(hashesOf([conflict]));
  });
});

describe('tests-local', () => {
  const check = (codeTree: string, passed: boolean): Snapshot['checks'][number] => ({
    codeTree,
    passed,
    detail: passed ? 'exit status 0' : 'exit status 2',
    tail: '',
  });
  it.each<[string, Snapshot['checks'], string, string]>([
    ['no run', [], 'pending', 'the local tests have not run on this code'],
    ['passed on this code', [check('tree-2', true)], 'pass', 'the local tests passed'],
    ['failed on this code', [check('tree-2', false)], 'fail', 'the local tests failed: exit status 2'],
    ['passed on other code', [check('tree-1', true)], 'pending', 'the local tests have not run on this code'],
    ['failed on other code, passed on this', [check('tree-1', false), check('tree-2', true)], 'pass', ''],
    ['the newest run of this code', [check('tree-2', true), check('tree-2', false)], 'pass', ''],
  ])('%s', (_name, checks, wanted, reason) => {
    const verdict = judgeLocalTests(checks, 'tree-2');
    expect(verdict.status).toBe(wanted);
    if (reason !== '') expect(verdict.reason).toBe(reason);
    expect(verdict.subject).toEqual({ code_tree: 'tree-2' });
  });
});

describe('deployed', () => {
  const merge = { head: sha('2'), marker: 'm', merged: true, mergedSha: sha('9') };
  const finished = (said: 'success' | 'failed' | 'nothing_to_do' | null) => ({
    runId: '5' as never,
    sha: sha('2'),
    result: said === null ? null : { status: said, summary: '', rolledBack: null },
    at: 0,
  });
  it.each<[string, Parameters<typeof visit>[0], string, string]>([
    ['merged and success', { merge, finished: finished('success') }, 'pass', 'success'],
    ['merged, the deployer has not finished', { merge, finished: null }, 'fail', 'none'],
    ['merged, no result file', { merge, finished: finished(null) }, 'fail', 'none'],
    ['merged, failed', { merge, finished: finished('failed') }, 'fail', 'failed'],
    ['merged, nothing to do is no success', { merge, finished: finished('nothing_to_do') }, 'fail', 'failed'],
    ['success, not merged', { merge: null, finished: finished('success') }, 'pending', 'success'],
    [
      'success, the merge is under way',
      { merge: { ...merge, merged: false }, finished: finished('success') },
      'pending',
      'success',
    ],
    ['failed, not merged', { merge: null, finished: finished('failed') }, 'fail', 'failed'],
  ])('%s', (_name, over, wanted, result) => {
    expect(judgeDeployed(visit({ stage: 'deploy', ...over }))).toMatchObject({ status: wanted, result });
  });

  it('names the merge commit and the run', () => {
    const verdict = judgeDeployed(visit({ merge, finished: finished('success') }));
    expect(verdict.subject).toEqual({ merged: sha('9'), run: '5' });
  });
});
