import { describe, expect, it } from 'vitest';
import type { Decision, Evidence, Snapshot, Stage } from '../../src/core/model/index.ts';
import { decide, isJudged, needs } from '../../src/core/pipeline/decide.ts';
import { stageAfter, stageBefore } from '../../src/core/pipeline/rules/order.ts';
import { defaultPipeline, edges, gateNames, stageNames as stages } from '../../src/core/pipeline/stages/index.ts';
import {
  decided,
  evidence,
  file,
  fourDocuments,
  held,
  job,
  jobs,
  mustDecide,
  noon,
  phases,
  policy,
  progress,
  seen,
  settled,
  sha,
  snapshot,
  status,
  noticesOf,
} from '../support/snapshots.ts';

const four = fourDocuments.map((path) => file(path));
const hashes = Object.fromEntries(four.map((artifact) => [artifact.path, artifact.blob]));
const approved = file('12-review.md', '---\nverdict: APPROVED\n---\n');
const passed = file('13-test-report.md', '---\nresult: PASS\n---\n');
const red = { rows: [status('ci/test', 'failed')] };
const rejection = { kind: 'rejected', by: 'Lead', reason: 'no', commentId: 'c-1' } as const;
const success = {
  runId: '5' as never,
  sha: sha('2'),
  result: { status: 'success', summary: 'up', rolledBack: null } as const,
  at: noon,
};
const merged = { head: sha('2'), marker: 'm', merged: true, mergedSha: sha('9') };

type Way = [string, Parameters<typeof snapshot>[0], Parameters<typeof evidence>[0], string];

/** One way over every edge of the table: the situation, the rule that takes it. */
const ways: Record<string, Way[]> = {
  'created>analysis': [
    [
      'the branch was made',
      {
        task: { stage: 'created', visit: 0, prNumber: null, progress: progress({ branchEffect: 'k' }) },
        message: settled('git.start_branch', { result: { sha: sha('1'), codeTree: 'tree-1' } }),
      },
      {},
      'created.branch-made',
    ],
  ],
  'analysis>analysis': [
    ['rejected', { task: { stage: 'analysis' }, visit: { order: rejection } }, { files: four }, 'rejected'],
    [
      'answers',
      {
        task: { stage: 'analysis', hold: held('answers') },
        visit: { answers: [{ commentId: 'c', by: 'Lead', text: 'euros' }] },
      },
      { files: [file('01-questions.md')] },
      'analysis.answered',
    ],
  ],
  'analysis>architecture': [
    [
      'approved',
      { task: { stage: 'analysis' }, visit: { approved: { by: 'Lead', commentId: 'c-9', artifacts: hashes } } },
      { files: four },
      'analysis.approved',
    ],
  ],
  'architecture>analysis': [
    ['conflict', { task: { stage: 'architecture' } }, { files: [file('10-conflict.md')] }, 'architecture.conflict'],
    ['rejected', { task: { stage: 'architecture' }, visit: { order: rejection } }, {}, 'rejected'],
  ],
  'architecture>development': [
    ['done', { task: { stage: 'architecture' } }, { files: [file('06-adr/1.md')] }, 'architecture.done'],
  ],
  'development>development': [
    ['red CI', {}, red, 'development.red-code'],
    ['base conflict', {}, { merges: seen({ clean: false, conflicts: ['a'] }) }, 'development.base-conflict'],
  ],
  'development>architecture': [['rejected', { visit: { order: rejection } }, {}, 'rejected']],
  'development>review': [['green', {}, {}, 'development.green']],
  'review>development': [
    [
      'changes requested',
      { task: { stage: 'review' } },
      { files: [file('12-review.md', '---\nverdict: REQUEST_CHANGES\n---\n')] },
      'review.changes-requested',
    ],
    ['red CI', { task: { stage: 'review' } }, red, 'review.red-code'],
    ['rejected', { task: { stage: 'review' }, visit: { order: rejection } }, {}, 'rejected'],
  ],
  'review>testing': [['approved', { task: { stage: 'review' } }, { files: [approved] }, 'review.approved']],
  'testing>development': [
    [
      'tests failed',
      { task: { stage: 'testing' } },
      { files: [file('13-test-report.md', '---\nresult: FAIL\n---\n')] },
      'testing.failed',
    ],
    ['red CI', { task: { stage: 'testing' } }, red, 'testing.red-code'],
  ],
  'testing>review': [
    ['rejected', { task: { stage: 'testing' }, visit: { order: rejection } }, {}, 'rejected'],
    [
      'other code than approved',
      { task: { stage: 'testing', progress: progress({ approvedCode: { review: 'tree-1' } }) } },
      { files: [passed] },
      'testing.code-changed',
    ],
  ],
  'testing>deploy': [
    [
      'passed',
      { task: { stage: 'testing', progress: progress({ approvedCode: { review: 'tree-2' } }) } },
      { files: [passed] },
      'testing.passed',
    ],
  ],
  'deploy>development': [
    [
      'deploy failed',
      {
        task: { stage: 'deploy' },
        visit: {
          merge: merged,
          finished: { ...success, result: { status: 'failed', summary: 'no', rolledBack: true } },
        },
      },
      {},
      'deploy.failed',
    ],
    ['red CI', { task: { stage: 'deploy' } }, red, 'deploy.red-code'],
    [
      'base conflict',
      { task: { stage: 'deploy' } },
      { merges: seen({ clean: false, conflicts: [] }) },
      'deploy.base-conflict',
    ],
  ],
  'deploy>review': [
    [
      'other code than approved',
      { task: { stage: 'deploy', progress: progress({ approvedCode: { review: 'tree-1' } }) } },
      {},
      'deploy.code-changed',
    ],
  ],
  'deploy>testing': [['rejected', { task: { stage: 'deploy' }, visit: { order: rejection } }, {}, 'rejected']],
  'deploy>done': [
    [
      'merged and deployed',
      { task: { stage: 'deploy' }, visit: { merge: merged, finished: success } },
      {},
      'deploy.done',
    ],
  ],
};

describe('the table of edges', () => {
  it('has a case here for every edge, and no case that is no edge', () => {
    const known = edges.map(({ from, to }) => `${from}>${to}`);
    expect(Object.keys(ways).sort()).toEqual([...known].sort());
    expect(new Set(known).size).toBe(known.length);
  });

  const cases = Object.entries(ways).flatMap(([edge, list]) => list.map((way) => [edge, ...way] as const));
  it.each(cases)('%s: %s', (edge, _name, start, proof, rule) => {
    const [from, to] = edge.split('>') as [Stage, Stage];
    const before = snapshot(start);
    const decision = mustDecide(before, evidence(proof));
    expect(decision.why.rule).toBe(rule);
    expect([before.task.stage, decision.task.stage]).toEqual([from, to]);
    expect(decision.why.sentence).not.toBe('');
    if (to === 'done' || decision.task.hold !== null) return;
    expect(decision.task.visit).toBe(before.task.visit + 1);
    expect(decision.visit).toMatchObject({ n: before.task.visit + 1, stage: to, finished: null });
    const deployWaitsForMerge = to === 'deploy';
    expect(jobs(decision)).toHaveLength(deployWaitsForMerge ? 0 : 1);
  });

  it.each(cases)('%s: %s – not while an agent of the task works', (_edge, _name, start, proof) => {
    const s = snapshot(start);
    if (s.message !== null) return;
    expect(decided({ ...s, liveJob: job() }, evidence(proof))).toEqual({ decision: null, rule: 'rest', wakeAt: null });
  });

  it.each(cases)('%s: %s – not while the task is paused', (_edge, _name, start, proof) => {
    const s = snapshot(start);
    if (s.message !== null) return;
    expect(decided({ ...s, task: { ...s.task, paused: true } }, evidence(proof)).rule).toBe('rest');
  });

  it.each(cases)('%s: %s – not when the branch cannot be read', (edge, _name, start) => {
    const s = snapshot(start);
    if (s.message !== null || edge === 'deploy>done') return;
    const blind: Evidence = { head: { seen: false, reason: 'the server is down' } };
    const { decision, rule } = decided(s, blind);
    expect(rule).toBe('gate.cannot-see');
    expect(decision?.task).toMatchObject({ stage: s.task.stage, visit: s.task.visit });
    expect(decision?.task.hold?.cause).toBe('cannot_see');
    expect(decision?.wakeAt).toBe(noon + 60_000);
    expect(decided(s, blind, policy({ recheckMs: 420_000 })).decision?.wakeAt).toBe(noon + 420_000);
    expect(decision?.effects.filter((effect) => effect.body.kind === 'tracker.comment')).toEqual([]);
  });
});

describe('going on', () => {
  it.each<[Stage, Stage, string | null]>([
    ['analysis', 'architecture', 'architect'],
    ['architecture', 'development', 'developer'],
    ['development', 'review', 'reviewer'],
    ['review', 'testing', 'tester'],
  ])('from %s starts the agent of %s, tells it, shows In Progress', (from, to, role) => {
    const [, start, proof] = ways[`${from}>${to}`]?.[0] ?? [];
    const s = snapshot({ ...start, task: { ...start?.task, phase: 'in_review' } });
    const decision = mustDecide(s, evidence(proof));
    expect(decision.jobs.map((queued) => queued.role)).toEqual([role]);
    expect(noticesOf(decision)).toEqual(['stage_changed@chat+comment']);
    expect(phases(decision)).toEqual(['in_progress']);
    expect(decision.visit?.baseline).toEqual({
      sha: sha('2'),
      artifacts: Object.fromEntries((proof?.files ?? []).map((artifact) => [artifact.path, artifact.blob])),
      codeTree: 'tree-2',
    });
  });

  it('a state is written only when it changes', () => {
    expect(phases(mustDecide(snapshot()))).toEqual([]);
  });

  it('the agent merges by itself where the project wants that', () => {
    const agent = policy({ deploy: { merge: 'agent', mergeStyle: 'merge' } });
    const start = snapshot({ task: { stage: 'testing' } });
    const decision = mustDecide(start, evidence({ files: [passed] }), agent);
    expect(jobs(decision)).toEqual(['deployer:visit:4:1']);
    const notMerged = mustDecide(
      snapshot({ task: { stage: 'deploy' }, visit: { finished: success } }),
      evidence(),
      agent,
    );
    expect(notMerged.task.hold).toMatchObject({ cause: 'gate_failed', lift: 'rerun' });
    const seenMerge = mustDecide(
      snapshot({ task: { stage: 'deploy' }, visit: { finished: success } }),
      evidence({ pull: seen({ merged: true, mergedSha: sha('9'), baseBranch: 'main' }) }),
      agent,
    );
    expect(seenMerge.visit?.merge?.merged).toBe(true);
  });

  it.each([
    ['review', policy({ gates: { development: 'ci-green', review: ['pr-approved'] } })],
    ['deploy', policy({ deploy: { merge: 'agent', mergeStyle: 'merge' } })],
    ['deploy', policy()],
  ] as const)('%s opens the pull request that a forced move left out', (stage, rules) => {
    const agentMerges = rules.deploy.merge === 'agent';
    const visit = { finished: stage === 'review' || agentMerges ? success : null };
    const decision = mustDecide(snapshot({ task: { stage, prNumber: null }, visit }), evidence(), rules);
    expect(decision.effects.map((effect) => effect.body.kind)).toEqual(['forge.open_pull']);
    expect(decision.task).toMatchObject({ stage, hold: null });
  });

  it('a shorter line goes its own way', () => {
    const audit = ['analysis', 'testing'] as const;
    const start = ways['analysis>architecture']?.[0];
    const decision = mustDecide(
      snapshot({ ...start?.[1], task: { ...start?.[1]?.task, pipelineStages: [...audit] } }),
      evidence({ files: four }),
    );
    expect(decision.task.stage).toBe('testing');
    const end = mustDecide(
      snapshot({ task: { stage: 'testing', pipelineStages: [...audit] } }),
      evidence({ files: [passed] }),
    );
    expect(end.task.stage).toBe('done');
  });

  it.each<[string, Stage, Parameters<typeof evidence>[0], string]>([
    [
      'changes requested',
      'review',
      { files: [file('12-review.md', '---\nverdict: REQUEST_CHANGES\n---\nno')] },
      'gate_failed',
    ],
    ['tests failed', 'testing', { files: [file('13-test-report.md', '---\nresult: FAIL\n---\nno')] }, 'gate_failed'],
    ['base conflict', 'deploy', { merges: seen({ clean: false, conflicts: ['a'] }) }, 'base_conflict'],
  ])(
    '%s in a line without a developer is held, never moved to a stage it does not have',
    (_name, stage, proof, cause) => {
      const decision = mustDecide(
        snapshot({ task: { stage, pipelineStages: ['review', 'testing', 'deploy'] } }),
        evidence(proof),
      );
      expect(decision.task).toMatchObject({ stage, visit: 3 });
      expect(decision.task.hold).toMatchObject({ cause, blocking: true });
      expect(decision.jobs).toEqual([]);
    },
  );

  it('a failed deployment in a line without a developer is held where it stands', () => {
    const decision = mustDecide(
      snapshot({
        task: { stage: 'deploy', pipelineStages: ['review', 'deploy'] },
        visit: {
          merge: merged,
          finished: { ...success, result: { status: 'failed', summary: 'no', rolledBack: null } },
        },
      }),
    );
    expect(decision.task).toMatchObject({ stage: 'deploy', visit: 3 });
    expect(decision.task.hold?.cause).toBe('deploy_failed');
  });

  it('a conflict in a line without an analyst is held', () => {
    const decision = mustDecide(
      snapshot({ task: { stage: 'architecture', pipelineStages: ['architecture', 'development'] } }),
      evidence({ files: [file('10-conflict.md', 'no')] }),
    );
    expect(decision.task).toMatchObject({ stage: 'architecture' });
    expect(decision.task.hold?.cause).toBe('gate_failed');
  });
});

describe('orders of an operator', () => {
  const forced = (to: Stage | null) => ({ kind: 'command', name: 'advance', by: 'op', to, force: true }) as const;

  it.each<[Stage, Stage | null, Stage]>([
    ['analysis', null, 'architecture'],
    ['analysis', 'testing', 'testing'],
    ['testing', 'development', 'development'],
    ['deploy', 'done', 'done'],
  ])('forced from %s to %s', (from, to, landed) => {
    const ordered = mustDecide(
      snapshot({ task: { stage: from, hold: held('attempts_used') }, message: forced(to), liveJob: job() }),
    );
    expect(ordered.cancelJobs).toEqual([job().id]);
    expect(ordered.task).toMatchObject({ stage: from, hold: null });
    const decision = mustDecide(snapshot({ task: ordered.task, visit: ordered.visit ?? {} }), evidence({ rows: [] }));
    expect(decision.task.stage).toBe(landed);
    expect(decision.why).toMatchObject({ rule: 'advance.forced', cause: 'operator:op' });
  });

  it('only asks the gate without force', () => {
    const asked = mustDecide(
      snapshot({ message: { kind: 'command', name: 'advance', by: 'op', to: null, force: false } }),
      evidence({ rows: [] }),
    );
    expect(asked).toMatchObject({ visit: null, jobs: [] });
    expect(asked.task.stage).toBe('development');
  });

  it.each(['pause', 'resume'] as const)('%s', (name) => {
    const decision = mustDecide(
      snapshot({ task: { paused: name === 'resume' }, message: { kind: 'command', name, by: 'op' } }),
    );
    expect(decision.task.paused).toBe(name === 'pause');
  });

  it('cancel stops the agent and says so', () => {
    const decision = mustDecide(snapshot({ liveJob: job(), message: { kind: 'command', name: 'cancel', by: 'op' } }));
    expect(decision.task.stage).toBe('cancelled');
    expect(decision.cancelJobs).toEqual([job().id]);
    expect(noticesOf(decision)).toEqual(['cancelled@chat+comment']);
    expect(phases(decision)).toEqual(['cancelled']);
  });

  it.each<[string, Parameters<typeof snapshot>[0], string[]]>([
    ['the agent of the stage', {}, ['developer:visit:3:2']],
    ['not during a live job', { liveJob: job() }, []],
    ['not the agent of another stage', { task: { stage: 'review' } }, []],
  ])('run: %s', (_name, start, wanted) => {
    const decision = mustDecide(
      snapshot({ ...start, message: { kind: 'command', name: 'run', by: 'op', role: 'developer' } }),
    );
    expect(jobs(decision)).toEqual(wanted);
  });

  it('retry without a hold changes nothing', () => {
    const decision = mustDecide(snapshot({ message: { kind: 'command', name: 'retry', by: 'op' } }));
    expect(decision).toMatchObject({ jobs: [], effects: [], visit: null, why: { rule: 'command.retry-nothing' } });
  });
});

describe('purity', () => {
  it.each(Object.entries(ways).flatMap(([edge, list]) => list.map((way) => [edge, ...way] as const)))(
    '%s: %s changes nothing it was given and answers the same again',
    (_edge, _name, start, proof) => {
      const freeze = <T>(value: T): T => deepFreeze(structuredClone(value));
      const s: Snapshot = freeze(snapshot(start));
      const e = freeze(evidence(proof));
      const p = deepFreeze(policy());
      const first: Decision | null = decided(s, e, p).decision;
      expect(decide(s, e, p, noon)).toEqual({ kind: 'commit', decision: first });
    },
  );

  it('needs nothing while a message waits, an agent works, or a hold blocks', () => {
    for (const stage of stages) {
      const free = snapshot({ task: { stage } });
      const expected = stage === 'done' || stage === 'cancelled' ? 0 : 1;
      expect(needs(free, policy()).length, stage).toBeGreaterThanOrEqual(expected);
      expect(isJudged(free)).toBe(expected === 1);
      for (const busy of [
        { ...free, liveJob: job() },
        { ...free, task: { ...free.task, paused: true } },
        { ...free, task: { ...free.task, hold: held('attempts_used') } },
        snapshot({ task: { stage }, message: { kind: 'command', name: 'resume', by: 'op' } }),
      ]) {
        expect(needs(busy, policy()), stage).toEqual([]);
      }
    }
  });
});

describe('table', () => {
  it('has a gate for every stage that has a next', () => {
    expect([...gateNames.keys()]).toEqual(['created', ...defaultPipeline]);
  });

  it('knows what comes after and before', () => {
    expect(stageAfter('created', [...defaultPipeline])).toBe('analysis');
    expect(stageAfter('deploy', [...defaultPipeline])).toBe('done');
    expect(stageAfter('analysis', ['analysis', 'testing'])).toBe('testing');
    expect(stageBefore('analysis', [...defaultPipeline])).toBe('analysis');
    expect(stageBefore('testing', ['analysis', 'testing'])).toBe('analysis');
    expect(stageBefore('analysis', [])).toBeNull();
  });
});

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

describe('another database of orch', () => {
  const created = { stage: 'created', visit: 0, prNumber: null } as const;
  const begun = evidence({ intake: seen({ folderOnBase: false, branchOwner: { database: 'beef0001' } }) });

  it('began the branch: held by its name, and taken over once an operator says so', () => {
    const first = mustDecide(snapshot({ task: created }), begun);
    expect(first.task.hold).toMatchObject({ cause: 'other_database', detail: { database: 'beef0001' } });
    const lifted = mustDecide(
      snapshot({ task: first.task, message: { kind: 'command', name: 'retry', by: 'op' } }),
      begun,
    );
    expect(lifted.task).toMatchObject({ hold: null, progress: { acceptedDatabase: 'beef0001' } });
    expect(mustDecide(snapshot({ task: lifted.task }), begun).why.rule).toBe('created.accepted');
    const third = evidence({ intake: seen({ folderOnBase: false, branchOwner: { database: 'beef0002' } }) });
    expect(mustDecide(snapshot({ task: lifted.task }), third).task.hold).toMatchObject({ cause: 'other_database' });
  });

  it('does not take the place of a hold that blocks already', () => {
    const message = { kind: 'other_database', database: 'beef0001', commentId: 'c-7' } as const;
    const decision = mustDecide(snapshot({ task: { hold: held('no_verdict') }, message }));
    expect(decision.task.hold).toMatchObject({ cause: 'no_verdict' });
    expect(decision.why.rule).toBe('message.other-database');
  });
});
