import { describe, expect, it } from 'vitest';
import type { Decision, Evidence, MessageBody, ProjectPolicy, Task, Visit } from '../../src/core/model/index.ts';
import {
  comment,
  decided,
  evidence,
  file,
  fourDocuments,
  held,
  item,
  job,
  jobs,
  minute,
  mustDecide,
  noon,
  noticeOf,
  outcome,
  phases,
  policy,
  progress,
  pull,
  ran,
  review,
  seen,
  sha,
  snapshot,
  status,
  noticesOf,
} from '../support/snapshots.ts';

interface Bend {
  task?: Partial<Task>;
  visit?: Partial<Visit>;
  rest?: Parameters<typeof snapshot>[0];
  evidence?: Parameters<typeof evidence>[0];
  policy?: Partial<ProjectPolicy>;
  message?: MessageBody;
  now?: number;
}

function go(bend: Bend): Decision {
  return mustDecide(
    snapshot({
      ...bend.rest,
      task: bend.task ?? {},
      visit: bend.visit ?? {},
      ...(bend.message === undefined ? {} : { message: bend.message }),
    }),
    evidence(bend.evidence),
    policy(bend.policy),
    bend.now ?? noon,
  );
}

/** What every rerun has in common: a new visit from the head, one job, the alert before it. */
function expectRerun(decision: Decision, role: string, stage: string, n: number, of: number): void {
  expect(decision.task.stage).toBe(stage);
  expect(decision.task.hold).toBeNull();
  expect(decision.task.visit).toBe(4);
  expect(decision.visit).toMatchObject({ n: 4, stage, bounce: true, requests: 1, finished: null });
  expect(decision.visit?.baseline).toMatchObject({ sha: sha('2'), codeTree: 'tree-2' });
  expect(jobs(decision)).toEqual([`${role}:visit:4:1`]);
  expect(noticesOf(decision)).toEqual(['bounce@chat!+comment']);
  expect(noticeOf(decision, 'bounce')).toMatchObject({ role, n, of });
}

const red = { rows: [status('ci/test', 'failed'), status('ci/lint', 'passed', 2)] };

describe('intake refused', () => {
  const created = { stage: 'created', visit: 0, prNumber: null, phase: null } as const;
  const poor = item({ name: 'Cart', descriptionHtml: '' });

  it('says everything that is missing at once, in Blocked', () => {
    const decision = go({ task: created, rest: { item: poor } });
    expect(decision.task.hold).toMatchObject({ cause: 'intake_refused', blocking: false, owner: 'author' });
    expect(noticesOf(decision)).toEqual(['intake_refused@chat!+comment']);
    expect(noticeOf(decision, 'intake_refused').defects).toEqual(['title_short', 'description_short']);
    expect(phases(decision)).toEqual(['blocked']);
    expect(decision.jobs).toEqual([]);
  });

  it('has no second comment for the same defects, and a new one for others', () => {
    const first = go({ task: created, rest: { item: poor } });
    expect(decided(snapshot({ task: first.task, item: poor })).rule).toBe('rest');
    const better = item({ name: 'Cart total', descriptionHtml: '' });
    const second = mustDecide(snapshot({ task: first.task, item: better }));
    expect(noticeOf(second, 'intake_refused').defects).toEqual(['description_short']);
  });

  it('proceeds by itself once it is good', () => {
    const refused = go({ task: created, rest: { item: poor } });
    const s = snapshot({ task: refused.task, item: item({ name: 'Totals of carts' }) });
    const renamed = mustDecide(s);
    expect(renamed.task).toMatchObject({ branch: 'feature/ET-012-totals-of-carts', hold: null });
    const started = mustDecide(snapshot({ task: renamed.task, item: s.item }));
    expect(started.effects.map((effect) => effect.body.kind)).toContain('git.start_branch');
    expect(started.jobs).toEqual([]);
  });

  it.each<[string, Evidence['intake'], string]>([
    [
      'documents of this id on the base branch',
      seen({ folderOnBase: true, branchOwner: 'none' }),
      'existing_artifacts',
    ],
    ['a branch of somebody else', seen({ folderOnBase: false, branchOwner: 'other' }), 'existing_branch'],
    ['a repository that cannot be read', { seen: false, reason: 'no' }, 'cannot_see'],
  ])('%s holds', (_name, intake, cause) => {
    const decision = go({ task: created, evidence: { ...(intake === undefined ? {} : { intake }) } });
    expect(decision.task.hold?.cause).toBe(cause);
    expect(decision.effects.some((effect) => effect.body.kind === 'git.start_branch')).toBe(false);
  });

  it('resumes its own branch', () => {
    const decision = go({ task: created, evidence: { intake: seen({ folderOnBase: false, branchOwner: 'this' }) } });
    expect(decision.effects.map((effect) => effect.body.kind)).toContain('git.start_branch');
  });
});

describe('analyst asks', () => {
  const analysis = { stage: 'analysis', prNumber: null } as const;
  const questions = file('01-questions.md', 'Which currency?');

  it('shows the questions, in Needs Input, and waits', () => {
    const decision = go({ task: analysis, evidence: { files: [questions] } });
    expect(decision.task.hold).toMatchObject({ cause: 'answers', owner: 'approver', phase: 'needs_input' });
    expect(decision.task.counters.questionRounds).toBe(1);
    expect(noticesOf(decision)).toEqual(['questions@chat!+comment']);
    expect(noticeOf(decision, 'questions')).toMatchObject({ text: 'Which currency?', round: 1, of: 3 });
    expect(phases(decision)).toEqual(['needs_input']);
  });

  it('goes on with all comments of people who may approve', () => {
    const asked = go({ task: analysis, evidence: { files: [questions] } });
    const one = mustDecide(snapshot({ task: asked.task, visit: asked.visit ?? {}, message: comment() }));
    const two = mustDecide(
      snapshot({
        task: one.task,
        visit: one.visit ?? {},
        message: comment({ commentId: 'c-2', actorName: 'Anna', text: 'With cents.' }),
      }),
    );
    const decision = mustDecide(snapshot({ task: two.task, visit: two.visit ?? {} }), evidence({ files: [questions] }));
    expectRerun(decision, 'analyst', 'analysis', 1, 3);
    expect(decision.jobs[0]?.orders.sections).toEqual([
      { title: 'Your questions', text: 'Which currency?' },
      { title: 'Answer of Lead', text: 'Use euros.' },
      { title: 'Answer of Anna', text: 'With cents.' },
    ]);
  });

  it('waits on while nobody allowed has answered', () => {
    const asked = go({ task: analysis, evidence: { files: [questions] } });
    const guest = mustDecide(
      snapshot({ task: asked.task, visit: asked.visit ?? {}, message: comment({ allowed: false }) }),
    );
    expect(guest.why.rule).toBe('comment.not-allowed');
    const after = decided(snapshot({ task: guest.task, visit: asked.visit ?? {} }), evidence({ files: [questions] }));
    expect(after.rule).toBe('rest');
  });

  it('is held after three rounds', () => {
    const decision = go({
      task: { ...analysis, counters: counters({ questionRounds: 3 }) },
      evidence: { files: [questions] },
    });
    expect(decision.task.hold).toMatchObject({ cause: 'question_rounds', command: 'orch retry ET-012' });
    expect(decision.jobs).toEqual([]);
  });

  it('is no question any more next to complete documents', () => {
    const decision = go({
      task: analysis,
      evidence: { files: [questions, ...fourDocuments.map((path) => file(path))] },
    });
    expect(noticesOf(decision)).toEqual(['approval_wanted@chat!+comment']);
  });
});

describe('an agent that produced nothing', () => {
  it.each<[string, Partial<Task>, RegExp, string]>([
    ['analyst', { stage: 'analysis' }, /missing or empty: 01-brd/, 'nothing_produced'],
    ['architect', { stage: 'architecture' }, /06-adr/, 'nothing_produced'],
    ['reviewer', { stage: 'review' }, /12-review\.md/, 'no_verdict'],
    ['tester', { stage: 'testing' }, /13-test-report\.md/, 'no_report'],
  ])('%s is asked once more, saying what is missing, then held', (role, task, missing, cause) => {
    const again = go({ task });
    expect(jobs(again)).toEqual([`${role}:visit:3:2`]);
    expect(again.jobs[0]?.orders.why).toMatch(missing);
    expect(again.task.visit).toBe(3);
    const decision = go({ task, visit: { askedAgain: 1 } });
    expect(decision.task.hold).toMatchObject({ cause, blocking: true });
    expect(decision.jobs).toEqual([]);
    expect(noticesOf(decision)).toEqual(['hold@chat!+comment']);
  });
});

describe(':rejected:', () => {
  const no = comment({ marker: { kind: 'rejected', reason: 'the currency is missing' } });

  it.each<[Task['stage'], string, string]>([
    ['analysis', 'analysis', 'analyst'],
    ['architecture', 'analysis', 'analyst'],
    ['development', 'architecture', 'architect'],
    ['review', 'development', 'developer'],
    ['testing', 'review', 'reviewer'],
    ['deploy', 'testing', 'tester'],
  ])('in %s goes to %s and runs the %s with the reason', (stage, to, role) => {
    const noted = go({ task: { stage }, message: no });
    expect(noted.jobs).toEqual([]);
    const decision = mustDecide(snapshot({ task: noted.task, visit: noted.visit ?? {} }));
    expectRerun(decision, role, to, 1, 3);
    expect(decision.task.counters.rejections).toBe(1);
    expect(decision.jobs[0]?.orders.sections).toEqual([{ title: 'Rejected by Lead', text: 'the currency is missing' }]);
  });

  it('stops a running agent first', () => {
    const noted = go({ message: no, rest: { liveJob: job() } });
    expect(noted.cancelJobs).toEqual([job().id]);
    expect(noted.jobs).toEqual([]);
    const waits = decided(
      snapshot({ task: noted.task, visit: noted.visit ?? {}, liveJob: job({ cancelRequested: true }) }),
    );
    expect(waits.rule).toBe('rest');
  });

  it('takes an approval back', () => {
    const noted = go({
      task: { stage: 'analysis' },
      visit: { approved: { by: 'Lead', commentId: 'c-0', artifacts: {} } },
      message: no,
    });
    expect(noted.visit?.approved).toBeNull();
  });

  it('is held after three, with the order kept for the retry', () => {
    const order = { kind: 'rejected', by: 'Lead', reason: 'no', commentId: 'c-1' } as const;
    const cap = go({ task: { stage: 'review', counters: counters({ rejections: 3 }) }, visit: { order } });
    expect(cap.task.hold).toMatchObject({ cause: 'rejections', detail: { tail: 'no' } });
    const lifted = mustDecide(
      snapshot({
        task: cap.task,
        visit: { order },
        message: { kind: 'command', name: 'retry', by: 'op' },
      }),
    );
    expect(lifted.task.counters.rejections).toBe(0);
    expect(lifted.jobs).toEqual([]);
    const decision = mustDecide(snapshot({ task: lifted.task, visit: lifted.visit ?? { order } }));
    expect(jobs(decision)).toEqual(['developer:visit:4:1']);
  });

  it('counts for nothing from somebody who may not approve', () => {
    const decision = go({ message: { ...no, allowed: false }, rest: { liveJob: job() } });
    expect(decision).toMatchObject({ cancelJobs: [], jobs: [], visit: { order: null } });
    expect(noticesOf(decision)).toEqual(['may_not_approve@comment']);
  });
});

describe('architect conflict', () => {
  const conflict = file('10-conflict.md', 'TRZ 3 contradicts TRZ 5');

  it('goes back to the analyst with its text', () => {
    const decision = go({ task: { stage: 'architecture' }, evidence: { files: [conflict] } });
    expectRerun(decision, 'analyst', 'analysis', 1, 2);
    expect(decision.jobs[0]?.orders.sections).toEqual([{ title: 'Conflict', text: 'TRZ 3 contradicts TRZ 5' }]);
  });

  it('is held after two rounds', () => {
    const decision = go({
      task: { stage: 'architecture', counters: counters({ conflictRounds: 2 }) },
      evidence: { files: [conflict] },
    });
    expect(decision.task.hold).toMatchObject({ cause: 'conflict_rounds', detail: { tail: 'TRZ 3 contradicts TRZ 5' } });
  });
});

describe('what sends the developer back', () => {
  const findings = file('12-review.md', '---\nverdict: REQUEST_CHANGES\n---\nThe total is rounded.');
  const report = file('13-test-report.md', '---\nresult: FAIL\n---\nTwo tests failed.');
  const cases: [string, Bend, string, { title: string; text: string }[]][] = [
    ['red CI in development', { evidence: red }, 'red_ci', [ciSection()]],
    ['red CI in review', { task: { stage: 'review' }, evidence: red }, 'red_ci', [ciSection()]],
    ['red CI in testing', { task: { stage: 'testing' }, evidence: red }, 'red_ci', [ciSection()]],
    ['red CI in deploy', { task: { stage: 'deploy' }, evidence: red }, 'red_ci', [ciSection()]],
    [
      'failed local tests',
      {
        policy: { gates: { development: 'tests-local', review: ['reviewer-verdict'] } },
        rest: { checks: [{ codeTree: 'tree-2', passed: false, detail: 'exit status 2', tail: 'not ok 1' }] },
      },
      'red_ci',
      [{ title: 'Output of the tests', text: 'not ok 1' }],
    ],
    [
      "the reviewer's verdict",
      { task: { stage: 'review' }, evidence: { files: [findings] } },
      'changes_requested',
      [{ title: 'Findings of the reviewer', text: 'The total is rounded.' }],
    ],
    [
      'a review of the pull request',
      {
        task: { stage: 'review' },
        policy: { gates: { development: 'ci-green', review: ['pr-approved'] } },
        evidence: {
          reviews: seen({ author: 'orch', rows: [review({ state: 'changes_requested', body: 'Rounding!' })] }),
        },
      },
      'changes_requested',
      [{ title: 'Findings of anna (thread r1)', text: 'Rounding!' }],
    ],
    [
      'a failed test report',
      { task: { stage: 'testing' }, evidence: { files: [report] } },
      'tests_failed',
      [{ title: 'Test report', text: 'Two tests failed.' }],
    ],
    ['a base conflict in development', { evidence: conflicted() }, 'base_conflict', [conflictSection()]],
    [
      'a base conflict in deploy',
      { task: { stage: 'deploy' }, evidence: conflicted() },
      'base_conflict',
      [conflictSection()],
    ],
  ];

  it.each(cases)('%s: alert, then the developer with the findings', (_name, bend, cause, sections) => {
    const decision = go(bend);
    expectRerun(decision, 'developer', 'development', 1, 3);
    expect(noticeOf(decision, 'bounce').cause).toBe(cause);
    expect(decision.jobs[0]?.orders.sections).toEqual(sections);
    expect(decision.task.counters.developerReruns).toBe(1);
  });

  it.each(cases)('%s: held when the budget is used, whatever used it', (_name, bend) => {
    const decision = go({ ...bend, task: { ...bend.task, counters: counters({ developerReruns: 3 }) } });
    expect(decision.jobs).toEqual([]);
    expect(decision.task.stage).toBe(bend.task?.stage ?? 'development');
    expect(decision.task.hold).toMatchObject({ cause: 'developer_budget', blocking: true, owner: 'operator' });
    expect(noticesOf(decision)).toEqual(['hold@chat!+comment']);
    expect(phases(decision)).toEqual(['blocked']);
    // The retry starts the budget again, and the gate sends the same findings.
    const lifted = mustDecide(
      snapshot({
        ...bend.rest,
        task: decision.task,
        visit: bend.visit ?? {},
        message: { kind: 'command', name: 'retry', by: 'op' },
      }),
    );
    expect(lifted.task.counters.developerReruns).toBe(0);
    const again = mustDecide(
      snapshot({ ...bend.rest, task: lifted.task, visit: lifted.visit ?? {} }),
      evidence(bend.evidence),
      policy(bend.policy),
    );
    expect(jobs(again)).toEqual(['developer:visit:4:1']);
  });

  it('waits for a running agent of a later stage', () => {
    const s = snapshot({ task: { stage: 'testing' }, liveJob: job({ role: 'tester' }) });
    expect(decided(s, evidence(red)).rule).toBe('rest');
  });

  it('the code that was just sent back is not judged again', () => {
    const decision = go({ visit: { bounce: true, baseline: baseline('tree-2') }, evidence: red });
    expect(decision.task.hold?.cause).toBe('no_new_code');
    expect(decision.task.counters.developerReruns).toBe(0);
  });

  it('green CI of the code that was just sent back does not pass it either', () => {
    const decision = go({ visit: { bounce: true, baseline: baseline('tree-2') } });
    expect(decision.task.hold?.cause).toBe('no_new_code');
  });

  it('what the developer says about it is handed on', () => {
    const result = { status: 'nothing_to_do', summary: 'works for me', rolledBack: null } as const;
    const decision = go({
      visit: { baseline: baseline('tree-2'), finished: { runId: '5' as never, sha: sha('2'), result, at: noon } },
    });
    expect(decision.task.hold?.text).toBe('the developer says there is nothing to do: works for me');
  });

  function ciSection(): { title: string; text: string } {
    return {
      title: 'CI context ci/test: failed',
      text: 'ci/test says failed\nhttps://ci.example.org/ci/test/1',
    };
  }
  function conflictSection(): { title: string; text: string } {
    return { title: 'Files in conflict', text: 'src/cart.ts' };
  }
  function conflicted(): Evidence {
    return { merges: seen({ clean: false, conflicts: ['src/cart.ts'] }) };
  }
});

describe('waiting for CI', () => {
  const none = { rows: [] };
  it.each<[string, Bend, string, number | null]>([
    ['none yet', { evidence: none, visit: { ciSince: noon } }, 'ci', noon + 10 * minute],
    [
      'none after the grace',
      { evidence: none, visit: { ciSince: noon - 10 * minute } },
      'ci_silent',
      noon + 50 * minute,
    ],
    ['none after the limit', { evidence: none, visit: { ciSince: noon - 60 * minute } }, 'ci_stuck', null],
    [
      'unfinished',
      { evidence: { rows: [status('a', 'pending')] }, visit: { ciSince: noon - 20 * minute } },
      'ci',
      noon + 40 * minute,
    ],
    [
      'unfinished after the limit',
      { evidence: { rows: [status('a', 'pending')] }, visit: { ciSince: noon - 60 * minute } },
      'ci_stuck',
      null,
    ],
    ['cannot be asked', { evidence: { statuses: { seen: false, reason: 'HTTP 502' } } }, 'cannot_see', noon + minute],
  ])('%s', (_name, bend, cause, wakeAt) => {
    const decision = go(bend);
    expect(decision.task.hold?.cause).toBe(cause);
    expect(decision.wakeAt).toBe(wakeAt);
    expect(decision.jobs).toEqual([]);
  });

  it('starts its clock when it first has to wait', () => {
    expect(go({ evidence: none }).visit?.ciSince).toBe(noon);
  });

  it('keeps its timer on the second look', () => {
    const first = go({ evidence: none });
    const second = decided(
      snapshot({ task: first.task, visit: first.visit ?? {} }),
      evidence(none),
      policy(),
      noon + 1,
    );
    expect(second).toMatchObject({ rule: 'rest', wakeAt: noon + 10 * minute });
  });
});

describe('deploy', () => {
  const deploy = { stage: 'deploy' } as const;
  const merged = { head: sha('2'), marker: 'm', merged: true, mergedSha: sha('9') };
  const failed = (rolledBack: boolean | null) => ({
    runId: '5' as never,
    sha: sha('2'),
    result: { status: 'failed', summary: 'smoke test is red', rolledBack } as const,
    at: noon,
  });

  it('asks for the merge of exactly the proven head', () => {
    const decision = go({ task: deploy, visit: { finished: null } });
    const merge = decision.effects.find((effect) => effect.body.kind === 'forge.merge_pull');
    expect(merge?.body).toMatchObject({ head: sha('2'), number: 7, marker: 'Orch-Merge: ET-012/3', style: 'merge' });
    expect(merge).toMatchObject({ lane: 'forge:acme/shop#feature/ET-012-cart-total', report: true });
    expect(decision.visit?.merge).toMatchObject({ head: sha('2'), merged: false });
    expect(decision.jobs).toEqual([]);
  });

  it('asks once', () => {
    const first = go({ task: deploy, visit: { finished: null } });
    expect(decided(snapshot({ task: first.task, visit: first.visit ?? {} })).rule).toBe('rest');
  });

  it('never merges other code than what was reviewed', () => {
    const decision = go({
      task: { ...deploy, progress: progress({ approvedCode: { review: 'tree-1' } }) },
      visit: { finished: null },
    });
    expectRerun(decision, 'reviewer', 'review', 1, 1);
    expect(decision.effects.some((effect) => effect.body.kind === 'forge.merge_pull')).toBe(false);
  });

  it.each<[boolean | null, string]>([
    [true, 'the deployment failed and was rolled back: smoke test is red'],
    [false, 'the deployment failed and was not rolled back: smoke test is red'],
    [null, 'the deployment failed: smoke test is red'],
  ])('failed (rolled back: %s): development, Blocked, no rerun', (rolledBack, text) => {
    const decision = go({ task: deploy, visit: { merge: merged, finished: failed(rolledBack) } });
    expect(decision.task).toMatchObject({ stage: 'development', prNumber: null });
    expect(decision.task.hold).toMatchObject({ cause: 'deploy_failed', text, command: 'orch retry ET-012' });
    expect(decision.jobs).toEqual([]);
    expect(noticeOf(decision, 'deploy_failed').rolledBack).toBe(rolledBack);
    expect(noticesOf(decision)).toContain('deploy_failed@chat!+comment');
    expect(phases(decision)).toEqual(['blocked']);
  });

  it('a deployer without a result is held, never a success', () => {
    const decision = go({
      task: deploy,
      visit: { merge: merged, finished: { runId: '5' as never, sha: sha('2'), result: null, at: noon } },
    });
    expect(decision.task.hold?.cause).toBe('no_deploy_result');
  });

  it('is done when merged and deployed', () => {
    const decision = go({
      task: deploy,
      visit: {
        merge: merged,
        finished: {
          runId: '5' as never,
          sha: sha('2'),
          result: { status: 'success', summary: 'up', rolledBack: null },
          at: noon,
        },
      },
    });
    expect(decision.task).toMatchObject({ stage: 'done', hold: null, phase: 'done' });
    expect(noticesOf(decision)).toEqual(['done@chat+comment']);
  });
});

describe('runs that failed', () => {
  it.each<[string, MessageBody, string, string[]]>([
    ['attempts used up', failedRun('attempts', 'own_fault'), 'attempts_used', ['hold', 'run_failed']],
    ['transient retries used up', failedRun('transient', 'transient'), 'attempts_used', ['hold', 'run_failed']],
    ['interruptions used up', failedRun('interruptions', 'interrupted'), 'attempts_used', ['hold', 'run_failed']],
    ['a timeout', failedRun('attempts', 'timeout'), 'attempts_used', ['hold', 'run_failed']],
    [
      'processes that live on',
      ran({ exhausted: 'refused', published: null, outcome: outcome({ kind: 'own_fault', cause: 'agent_alive' }) }),
      'agent_alive',
      ['hold', 'run_failed'],
    ],
    ['work that cannot be pushed', ran({ published: null, notPublished: 'the branch moved' }), 'unpushed', ['hold']],
  ])('%s', (_name, body, cause, events) => {
    const decision = go({ message: body, visit: { finished: null } });
    expect(decision.task.hold).toMatchObject({ cause, blocking: true, owner: 'operator' });
    expect(noticesOf(decision)).toEqual(events.map((event) => `${event}@chat!+comment`));
    expect(decision.jobs).toEqual([]);
  });

  it('names files that are not in the commit, and counts the run all the same', () => {
    const leftOut = Array.from({ length: 12 }, (_, n) => `core.${n}: 900 MB`);
    const decision = go({ message: ran({ published: { sha: sha('2'), committed: true, outOfScope: [], leftOut } }) });
    expect(decision.task.hold).toMatchObject({ cause: 'left_out', blocking: true, lift: 'rejudge' });
    expect(decision.task.hold?.text).toMatch(/ without core\.0: 900 MB; .*core\.9: 900 MB; and 2 more$/);
    expect(decision.visit?.finished?.sha).toBe(sha('2'));
  });

  it('names changes that stay in the workspace', () => {
    const decision = go({ message: { ...failedRun('attempts', 'own_fault'), unpushed: true } });
    expect(decision.task.hold?.text).toContain('its changes stay in the workspace');
  });

  it('says what a timeout is', () => {
    expect(noticeOf(go({ message: failedRun('attempts', 'timeout') }), 'run_failed').kind).toBe('timeout');
    expect(noticeOf(go({ message: failedRun('attempts', 'own_fault') }), 'run_failed').kind).toBe('exhausted');
  });

  it.each(['run_cap', 'cost_cap'] as const)('%s holds, and a retry counts from where it stands', (reason) => {
    const refused = go({
      message: { kind: 'job_refused', jobId: '9' as never, role: 'developer', reason },
      visit: { finished: null },
      policy: { caps: { ...policy().caps, costMicros: 5_000_000 } },
    });
    expect(refused.task.hold).toMatchObject({ cause: reason, owner: 'operator' });
    const lifted = mustDecide(
      snapshot({
        task: refused.task,
        visit: { finished: null },
        meta: { version: 3, wakeSeq: 1, wakeAt: null, runs: 30, spentMicros: 4_000_000, reservedMicros: 1_000_000 },
        message: { kind: 'command', name: 'retry', by: 'op' },
      }),
      evidence(),
      policy({ caps: { ...policy().caps, costMicros: 5_000_000 } }),
    );
    expect(jobs(lifted)).toEqual(['developer:visit:3:2']);
    expect(lifted.jobs[0]).toMatchObject(
      reason === 'run_cap' ? { runCap: 60, costCapMicros: 5_000_000 } : { runCap: 30, costCapMicros: 10_000_000 },
    );
  });

  function failedRun(
    exhausted: 'attempts' | 'transient' | 'interruptions',
    kind: 'own_fault' | 'timeout' | 'transient' | 'interrupted',
  ) {
    return ran({
      exhausted,
      published: null,
      outcome: outcome({ kind, cause: 'exit_status', detail: 'exit status 1' }),
    });
  }
});

describe('facts of the outside', () => {
  it.each(['analysis', 'architecture', 'development', 'review', 'testing'] as const)(
    'merged by a person in %s: the agent is stopped, done',
    (stage) => {
      const decision = go({
        task: { stage },
        rest: { pr: pull({ state: 'closed', merged: true, mergedSha: sha('9') }), liveJob: job() },
      });
      expect(decision.task).toMatchObject({ stage: 'done', mergedSha: sha('9') });
      expect(decision.cancelJobs).toEqual([job().id]);
      expect(noticesOf(decision)).toEqual(['done@chat+comment', 'merged@chat+comment']);
    },
  );

  it('merged by a person in deploy counts as the merge', () => {
    const decision = go({
      task: { stage: 'deploy' },
      visit: { finished: null },
      rest: { pr: pull({ state: 'closed', merged: true, mergedSha: sha('9') }) },
    });
    expect(decision.task.stage).toBe('deploy');
    expect(decision.visit?.merge).toMatchObject({ merged: true, mergedSha: sha('9') });
    expect(jobs(decision)).toEqual(['deployer:visit:3:2']);
  });

  it('a merged pull request of another round says nothing', () => {
    const s = snapshot({ task: { prNumber: 8 }, pr: pull({ merged: true, state: 'closed' }), liveJob: job() });
    expect(decided(s).rule).toBe('rest');
  });

  it.each<[string, Parameters<typeof item>[0], string[]]>([
    ['cancelled', { stateGroup: 'cancelled', stateName: 'Cancelled' }, ['cancelled@chat+comment']],
    ['archived or deleted', { present: false }, []],
  ])('%s: jobs are cancelled, and it resumes at its stage', (_name, over, events) => {
    const decision = go({ rest: { item: item(over), liveJob: job() } });
    expect(decision.task).toMatchObject({ stage: 'cancelled', branch: 'feature/ET-012-cart-total' });
    expect(decision.cancelJobs).toEqual([job().id]);
    expect(noticesOf(decision)).toEqual(events);
    const back = mustDecide(snapshot({ task: { ...decision.task }, visit: {} }));
    expect(back.task.stage).toBe('development');
    expect(phases(back)).toEqual(['in_progress']);
  });

  it('set to Done by a person', () => {
    const decision = go({ rest: { item: item({ stateGroup: 'completed' }), liveJob: job() } });
    expect(decision.task.hold?.cause).toBe('closed_by_hand');
    expect(decision.cancelJobs).toEqual([job().id]);
    expect(phases(decision)).toEqual([]);
    const back = mustDecide(snapshot({ task: decision.task }));
    expect(back.task.hold).toBeNull();
  });

  it('the item cannot be read, and can be read again', () => {
    const decision = go({ rest: { item: item({ unreadable: 'HTTP 500' }) } });
    expect(decision.task.hold).toMatchObject({ cause: 'item_unreadable', text: expect.stringContaining('HTTP 500') });
    const back = mustDecide(snapshot({ task: decision.task }));
    expect(back.why.rule).toBe('world.item-readable');
    expect(back.task.hold).toBeNull();
  });

  it('the branch was deleted, and came back', () => {
    const decision = go({ rest: { branch: { kind: 'branch', branch: 'feature/ET-012-cart-total', sha: null } } });
    expect(decision.task.hold?.cause).toBe('branch_deleted');
    const message = { kind: 'command', name: 'retry', by: 'op' } as const;
    const branch = { kind: 'branch', branch: 'feature/ET-012-cart-total', sha: null } as const;
    const refused = mustDecide(snapshot({ task: decision.task, message, branch }));
    expect(refused.why).toMatchObject({
      rule: 'command.retry-refused',
      sentence: expect.stringContaining('is still deleted'),
    });
    expect([refused.task.hold, refused.effects]).toEqual([decision.task.hold, []]);
    const back = mustDecide(snapshot({ task: decision.task }));
    expect(back.why.rule).toBe('world.branch-restored');
    expect(back.task.hold).toBeNull();
  });

  it('merged wins over a deleted branch', () => {
    const decision = go({
      rest: {
        pr: pull({ state: 'closed', merged: true }),
        branch: { kind: 'branch', branch: 'feature/ET-012-cart-total', sha: null },
      },
    });
    expect(decision.task.stage).toBe('done');
  });

  it('the pull request was closed, and opened again', () => {
    const decision = go({ rest: { pr: pull({ state: 'closed' }) } });
    expect(decision.task.hold?.cause).toBe('pr_closed');
    const message = { kind: 'command', name: 'retry', by: 'op' } as const;
    const refused = mustDecide(snapshot({ task: decision.task, message, pr: pull({ state: 'closed' }) }));
    expect([refused.why.rule, refused.task.hold]).toEqual(['command.retry-refused', decision.task.hold]);
    const back = mustDecide(snapshot({ task: decision.task, pr: pull() }));
    expect(back.task.hold).toBeNull();
  });

  it('the item of a done task is reopened: that is answered each time, and starts nothing', () => {
    const done = { stage: 'done', hold: null, phase: 'done' } as const;
    // What orch asked for is not shown yet: nobody has reopened anything.
    expect(decided(snapshot({ task: done })).rule).toBe('rest');
    const shown = mustDecide(snapshot({ task: done, item: item({ stateGroup: 'completed' }) }));
    expect([shown.why.rule, noticesOf(shown)]).toEqual(['world.done-seen', []]);
    const reopened = mustDecide(snapshot({ task: shown.task, item: item({ stateGroup: 'started' }) }));
    expect(noticesOf(reopened)).toEqual(['done_reopened@chat!+comment']);
    expect([reopened.task.stage, reopened.jobs]).toEqual(['done', []]);
    expect(decided(snapshot({ task: reopened.task, item: item({ stateGroup: 'started' }) })).rule).toBe('rest');
  });

  it('several at once come to one hold, and rest', () => {
    const all = {
      item: item({ stateGroup: 'completed' }),
      branch: { kind: 'branch', branch: 'feature/ET-012-cart-total', sha: null },
      pr: pull({ state: 'closed' }),
    } as const;
    const decision = go({ rest: all });
    expect(decision.task.hold?.cause).toBe('closed_by_hand');
    expect(decided(snapshot({ ...all, task: decision.task })).rule).toBe('rest');
    const next = mustDecide(snapshot({ ...all, item: item(), task: { ...decision.task, hold: null } }));
    expect(next.task.hold?.cause).toBe('branch_deleted');
    expect(decided(snapshot({ ...all, item: item(), task: next.task })).rule).toBe('rest');
  });

  it('the branch was rewritten: held, and accepted by a retry', () => {
    const decision = go({ evidence: { lineage: seen({ intact: false, reference: sha('1') }) } });
    expect(decision.task.hold).toMatchObject({ cause: 'force_pushed', detail: { head: sha('2') } });
    const lifted = mustDecide(snapshot({ task: decision.task, message: { kind: 'command', name: 'retry', by: 'op' } }));
    expect(lifted.task.progress.acceptedHead).toBe(sha('2'));
  });

  it('a card moved out of Blocked by a person who may approve is a retry', () => {
    const hold = held('attempts_used');
    const shown = go({ task: { hold, phase: 'blocked' }, rest: { item: item({ stateName: 'Blocked' }) } });
    expect(shown.why.rule).toBe('world.card-seen');
    expect(decided(snapshot({ task: shown.task, item: item({ stateName: 'Blocked' }) })).rule).toBe('rest');
    const guest = mustDecide(snapshot({ task: shown.task, item: item({ updatedByAllowed: false }) }));
    expect(guest.task.hold).toEqual(hold);
    const moved = mustDecide(snapshot({ task: shown.task }));
    expect(moved.why.rule).toBe('command.retry');
    expect(jobs(moved)).toEqual(['developer:visit:3:2']);
  });

  it('a card that never showed Blocked lifts nothing', () => {
    const s = snapshot({ task: { hold: held('attempts_used'), phase: 'blocked' } });
    expect(decided(s).rule).toBe('rest');
  });
});

function baseline(codeTree: string): Visit['baseline'] {
  return { sha: sha('1'), artifacts: {}, codeTree };
}

function counters(over: Partial<Task['counters']>): Task['counters'] {
  return { developerReruns: 0, questionRounds: 0, rejections: 0, conflictRounds: 0, ...over };
}
