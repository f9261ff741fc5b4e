import { describe, expect, it } from 'vitest';
import type { HoldCause, NoticeEvent, RunCause } from '../../src/core/model/index.ts';
import { channels } from '../../src/core/pipeline/channels.ts';
import { draftOf, notify } from '../../src/core/pipeline/draft.ts';
import { pictureOf } from '../../src/core/pipeline/rules/protected-base.ts';
import { holdKind, holdKinds, stageDefinition } from '../../src/core/pipeline/stages/index.ts';
import {
  decided,
  evidence,
  file,
  fourDocuments,
  held,
  inSecurityReview,
  item,
  jobs,
  minute,
  mustDecide,
  noon,
  noticeOf,
  progress,
  outcome,
  phases,
  policy,
  pull,
  ran,
  seen,
  settled,
  sha,
  snapshot,
  status,
  noticesOf,
} from '../support/snapshots.ts';

type Start = Parameters<typeof snapshot>[0];
type Proof = Parameters<typeof evidence>[0];

const created = { stage: 'created', visit: 0, prNumber: null, phase: null } as const;
const spent = { developerReruns: 3, questionRounds: 3, rejections: 3, conflictRounds: 2 };
const questions = file('01-questions.md');
const red = { rows: [status('ci', 'failed')] };
const merge = { head: sha('2'), marker: 'm', merged: true, mergedSha: sha('9') };
const run = (result: 'success' | 'failed' | null) => ({
  runId: '5' as never,
  sha: sha('2'),
  result: result === null ? null : { status: result, summary: 'said', rolledBack: null },
  at: noon,
});
const fault = (cause: RunCause) => outcome({ kind: 'own_fault', cause, detail: 'went wrong' });
const refusedJob = (reason: 'run_cap' | 'cost_cap') =>
  ({ kind: 'job_refused', jobId: '9' as never, role: 'developer', reason }) as const;

/** One situation for every cause for which a task does not move. */
type Situation = [Start, Proof?, Partial<ReturnType<typeof policy>>?];

const situations: Record<HoldCause, Situation> = {
  approval: [{ task: { stage: 'analysis' } }, { files: fourDocuments.map((path) => file(path)) }],
  answers: [{ task: { stage: 'analysis' } }, { files: [questions] }],
  ci: [{}, { rows: [] }],
  ci_silent: [{ visit: { ciSince: noon - 15 * minute } }, { rows: [] }],
  pr_review: [{ task: { stage: 'review' } }, {}, { gates: { development: 'ci-green', review: ['pr-approved'] } }],
  cannot_see: [{}, { head: { seen: false, reason: 'the server is down' } }],
  outside: [{ task: created }],
  intake_refused: [{ task: created, item: item({ name: 'x' }) }],
  existing_artifacts: [{ task: created }, { intake: seen({ folderOnBase: true, branchOwner: 'none' }) }],
  existing_branch: [{ task: created }, { intake: seen({ folderOnBase: false, branchOwner: 'other' }) }],
  nothing_produced: [{ task: { stage: 'analysis' }, visit: { askedAgain: 1 } }],
  question_rounds: [{ task: { stage: 'analysis', counters: spent } }, { files: [questions] }],
  rejections: [
    {
      task: { counters: spent },
      visit: { order: { kind: 'rejected', by: 'Lead', reason: 'no', commentId: 'c' } },
    },
  ],
  conflict_rounds: [{ task: { stage: 'architecture', counters: spent } }, { files: [file('10-conflict.md')] }],
  developer_budget: [{ task: { counters: spent } }, red],
  no_new_code: [{}, { tree: 'tree-1' }],
  ci_stuck: [{ visit: { ciSince: noon - 61 * minute } }, { rows: [] }],
  no_verdict: [{ task: { stage: 'review' }, visit: { askedAgain: 1 } }],
  no_report: [{ task: { stage: 'testing' }, visit: { askedAgain: 1 } }],
  gate_failed: [
    { task: { stage: 'testing', pipelineStages: ['analysis', 'testing'] } },
    { files: [file('13-test-report.md', '---\nresult: FAIL\n---\nno')] },
  ],
  base_conflict: [
    { task: { stage: 'deploy', pipelineStages: ['deploy'] } },
    { merges: seen({ clean: false, conflicts: ['a'] }) },
  ],
  deploy_failed: [{ task: { stage: 'deploy' }, visit: { merge, finished: run('failed') } }],
  no_deploy_result: [{ task: { stage: 'deploy' }, visit: { merge, finished: run(null) } }],
  merge_refused: [
    {
      task: { stage: 'deploy' },
      visit: {
        finished: null,
        mergeRefused: {
          said: 'protected',
          picture: pictureOf(evidence(), { sha: sha('2'), artifacts: {}, codeTree: 'tree-2' }),
        },
      },
    },
  ],
  attempts_used: [{ message: ran({ exhausted: 'attempts', published: null, outcome: fault('exit_status') }) }],
  check_failed: [{ message: ran({ jobKind: 'check', exhausted: 'refused', outcome: fault('workspace_diverged') }) }],
  run_cap: [{ message: refusedJob('run_cap') }],
  cost_cap: [{ message: refusedJob('cost_cap') }],
  pr_closed: [{ pr: pull({ state: 'closed' }) }],
  branch_deleted: [{ branch: { kind: 'branch', branch: 'feature/ET-012-cart-total', sha: null } }],
  repository_replaced: [{ message: { kind: 'repository_replaced', text: 'acme/shop is another repository' } }],
  force_pushed: [{}, { lineage: seen({ intact: false, reference: sha('1') }) }],
  closed_by_hand: [{ item: item({ stateGroup: 'completed' }) }],
  item_unreadable: [{ item: item({ unreadable: 'more than 20 pages, 2000 rows' }) }],
  other_database: [{ message: { kind: 'other_database', database: 'beef0001', commentId: 'c-7' } }],
  effect_refused: [{ message: settled('tracker.comment', { ok: false, error: 'HTTP 400' }) }],
  unpushed: [{ message: ran({ published: null, notPublished: 'the branch moved' }) }],
  left_out: [
    { message: ran({ published: { sha: sha('2'), committed: true, outOfScope: [], leftOut: ['core: 900 MB'] } }) },
  ],
  no_result: [{ task: inSecurityReview, visit: { askedAgain: 1 } }],
  stage_fails: [
    { task: { ...inSecurityReview, progress: progress({ fails: { 'security-review': 2 } }) } },
    { files: [file('14-security.md', '---\nresult: FAIL\n---\nAn open redirect.')] },
  ],
  agent_alive: [{ message: ran({ exhausted: 'refused', published: null, outcome: fault('agent_alive') }) }],
};

/** Waits that have a notice of their own, or are nobody's business. */
function situationOf(cause: HoldCause): Situation {
  const found = situations[cause];
  if (found === undefined) throw new Error(`no situation leads to the hold ${cause}`);
  return found;
}

const silent: HoldCause[] = ['approval', 'answers', 'ci', 'cannot_see', 'outside', 'intake_refused'];
const causes = [...holdKinds.keys()];

describe('every cause for which a task is held', () => {
  it.each(causes)('%s says who can clear it, what clears it, and the command', (cause) => {
    const [start, proof, rules] = situationOf(cause);
    const decision = mustDecide(snapshot(start), evidence(proof), policy(rules));
    const { hold } = decision.task;
    const kind = holdKind(cause);
    expect(hold).toMatchObject({ cause, blocking: kind.blocking, owner: kind.owner, phase: kind.phase, since: noon });
    expect(hold?.text).not.toBe('');
    expect(hold?.clearedBy.length).toBeGreaterThan(5);
    expect(hold?.command).toBe(kind.blocking || kind.retried === true ? 'orch retry ET-012' : null);
    // Nothing runs for a task that is held, and what blocks is Blocked in Plane.
    expect(decision.jobs).toEqual([]);
    if (kind.blocking) expect(kind.phase).toBe('blocked');
    if (cause !== 'closed_by_hand') expect(decision.task.phase).toBe(kind.phase);
    if (kind.phase !== 'in_progress' && cause !== 'closed_by_hand') expect(phases(decision)).toEqual([kind.phase]);
  });

  it.each(causes)('%s is reported once, with what lifts it', (cause) => {
    const [start, proof, rules] = situationOf(cause);
    const s = snapshot(start);
    const decision = mustDecide(s, evidence(proof), policy(rules));
    if (silent.includes(cause)) {
      expect(noticesOf(decision).filter((line) => line.startsWith('hold'))).toEqual([]);
    } else {
      expect(noticesOf(decision)).toContain('hold@chat!+comment');
      expect(noticeOf(decision, 'hold')).toMatchObject({
        cause,
        clearedBy: decision.task.hold?.clearedBy,
        command: decision.task.hold?.command,
      });
    }
    const after = decided(
      snapshot({ ...start, message: null, task: decision.task, visit: decision.visit ?? s.visit ?? {} }),
      evidence(proof),
      policy(rules),
    );
    // At most bookkeeping of a merge that was refused and is judged again; never the same words again.
    expect(after.decision === null ? [] : noticesOf(after.decision)).toEqual([]);
    expect(after.decision?.task.hold?.cause ?? cause).toBe(cause);
  });

  it('is a wait or blocks; waits have a way out without a command', () => {
    const waits = causes.filter((cause) => !holdKind(cause).blocking);
    expect(waits.sort()).toEqual([...silent, 'ci_silent', 'merge_refused', 'pr_review', 'ci_stuck'].sort());
  });

  it.each(causes.filter((cause) => holdKind(cause).blocking))('orch retry lifts %s', (cause) => {
    const { stage = 'development', ownStages = [] } = situationOf(cause)[0]?.task ?? {};
    const decision = mustDecide(
      snapshot({
        task: { stage, ownStages, hold: held(cause, { tail: 'the end of the log' }), phase: 'blocked' },
        // Not seen again since: a fact that was undone outside is lifted without a command.
        item: null,
        branch: null,
        message: { kind: 'command', name: 'retry', by: 'op' },
      }),
    );
    expect(decision.task.hold).toBeNull();
    expect(decision.why).toMatchObject({ rule: 'command.retry', cause: 'operator:op', evidence: { hold: cause } });
    expect(phases(decision)).toEqual(['in_progress']);
    const rerun = holdKind(cause).lift === 'rerun';
    expect(jobs(decision)).toHaveLength(rerun ? 1 : 0);
    if (rerun)
      expect(decision.jobs[0]?.orders.sections).toEqual([{ title: 'What was seen last', text: 'the end of the log' }]);
  });

  it.each([
    ['developer_budget', 'developerReruns'],
    ['question_rounds', 'questionRounds'],
    ['rejections', 'rejections'],
    ['conflict_rounds', 'conflictRounds'],
  ] as const)('lifting %s resets exactly that counter', (cause, counter) => {
    const decision = mustDecide(
      snapshot({
        task: { hold: held(cause), counters: spent },
        message: { kind: 'command', name: 'retry', by: 'op' },
      }),
    );
    expect(decision.task.counters).toEqual({ ...spent, [counter]: 0 });
    expect(decision.why.sentence).toMatch(/start(s)? again$/);
  });
});

describe('channels', () => {
  /** The table of spec 10: a comment at the work item, a message to the chat (`!`: an alert that may come twice). */
  const table: Record<NoticeEvent['event'], string> = {
    intake_accepted: 'chat+comment',
    intake_refused: 'chat!+comment',
    not_entered: 'chat!+comment',
    stage_changed: 'chat+comment',
    agent_started: 'chat',
    agent_finished: 'chat',
    approval_wanted: 'chat!+comment',
    approval_too_old: 'comment',
    may_not_approve: 'comment',
    marker_unclear: 'comment',
    not_waiting_for_approval: 'comment',
    questions: 'chat!+comment',
    bounce: 'chat!+comment',
    hold: 'chat!+comment',
    run_failed: 'chat!+comment',
    deploy_failed: 'chat!+comment',
    merged: 'chat+comment',
    done: 'chat+comment',
    done_reopened: 'chat!+comment',
    cancelled: 'chat+comment',
    agents_paused: 'chat!',
    agents_resumed: 'chat!',
    recovered: 'chat!',
    trouble: 'chat!',
    trouble_over: 'chat!',
  };

  it.each(Object.entries(table))('%s → %s', (event, wanted) => {
    const draft = draftOf(snapshot(), policy(), noon, (name) => stageDefinition(name, []));
    notify(draft, { event } as NoticeEvent);
    const found = noticesOf({ effects: draft.effects } as never);
    expect(found).toEqual([`${event}@${wanted}`]);
  });

  it('a comment that says the same again has its round, the chat none', () => {
    const draft = draftOf(snapshot(), policy(), noon, (name) => stageDefinition(name, []));
    const move = { event: 'stage_changed', from: 'analysis', to: 'architecture', by: null } as const;
    for (const body of [move, { ...move, by: 'Lead' }, move, move]) notify(draft, body);
    const rounds = draft.effects.flatMap(({ body }) =>
      body.kind === 'tracker.comment' || body.kind === 'chat.message' ? [[body.kind, body.notice.round]] : [],
    );
    expect(rounds.filter(([kind]) => kind === 'tracker.comment').map(([, round]) => round)).toEqual([
      undefined,
      undefined,
      2,
      3,
    ]);
    expect(rounds.filter(([kind]) => kind === 'chat.message').every(([, round]) => round === undefined)).toBe(true);
  });

  it('covers every event', () => {
    expect(Object.keys(channels).sort()).toEqual(Object.keys(table).sort());
  });

  it('comments, states and merges of one task each keep their order in one lane', () => {
    const decision = mustDecide(snapshot({ task: { stage: 'deploy' }, visit: { merge, finished: run('failed') } }));
    const lanes = new Set(decision.effects.map((effect) => effect.lane));
    expect([...lanes].sort()).toEqual(['chat', `tracker:${item().itemId}`]);
  });

  it('keys are unique in a decision and new with every version', () => {
    const s = snapshot({ task: { stage: 'deploy' }, visit: { merge, finished: run('failed') } });
    const keys = mustDecide(s).effects.map((effect) => effect.key);
    expect(new Set(keys).size).toBe(keys.length);
    const later = mustDecide({ ...s, meta: { ...s.meta, version: 9 } }).effects.map((effect) => effect.key);
    expect(later.filter((key) => keys.includes(key))).toEqual([]);
  });

  it('links lead to the item, the branch, the documents, the artifact and the pull request', () => {
    const asked = mustDecide(snapshot({ task: { stage: 'analysis' } }), evidence({ files: [questions] }));
    const comment = asked.effects.find((effect) => effect.body.kind === 'tracker.comment');
    const base = 'https://git.example.org/acme/shop';
    expect(comment?.body.kind === 'tracker.comment' ? comment.body.notice.links : {}).toEqual({
      item: `https://plane.example.org/acme/projects/${item().projectId}/issues/${item().itemId}`,
      branch: `${base}/src/branch/feature/ET-012-cart-total`,
      folder: `${base}/src/branch/feature/ET-012-cart-total/docs/work-items/ET-012`,
      artifact: `${base}/src/branch/feature/ET-012-cart-total/docs/work-items/ET-012/01-questions.md`,
      pr: `${base}/pulls/7`,
    });
  });

  it('a finished run tells its minutes and cost', () => {
    const decision = mustDecide(snapshot({ visit: { finished: null }, message: ran() }));
    expect(noticesOf(decision)).toEqual(['agent_finished@chat']);
    expect(noticeOf(decision, 'agent_finished')).toEqual({
      event: 'agent_finished',
      role: 'developer',
      minutes: 7,
      costMicros: 420_000,
    });
  });
});
