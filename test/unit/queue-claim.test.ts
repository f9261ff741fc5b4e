import { describe, expect, it } from 'vitest';
import type { JobId, TaskId } from '../../src/core/model/index.ts';
import {
  budgetOf,
  refusalMessage,
  refusalOf,
  refuseSecondJob,
  sessionToResume,
  waitingState,
} from '../../src/core/queue/claim.ts';
import { outcome } from '../store/bench.ts';

const use = (runs: number, spentMicros = 0, reservedMicros = 0) => ({ runs, spentMicros, reservedMicros });
const job = (over: Partial<Parameters<typeof refusalOf>[0]> = {}) => ({
  kind: 'agent' as const,
  runCap: null,
  costCapMicros: null,
  ...over,
});

describe('caps of a task', () => {
  it.each([
    ['no cap', job(), use(99, 1e9), null],
    ['one run below the cap', job({ runCap: 3 }), use(2), null],
    ['at the cap of runs', job({ runCap: 3 }), use(3), 'run_cap'],
    ['a cap that was lowered', job({ runCap: 3 }), use(5), 'run_cap'],
    ['dollars left', job({ costCapMicros: 100 }), use(1, 60, 39), null],
    ['spent and reserved make the cap', job({ costCapMicros: 100 }), use(1, 60, 40), 'cost_cap'],
    ['a cap of nothing', job({ costCapMicros: 0 }), use(0), 'cost_cap'],
    ['a check costs no dollars', job({ kind: 'check', costCapMicros: 100 }), use(1, 100), null],
    ['a check counts as a run', job({ kind: 'check', runCap: 1 }), use(1), 'run_cap'],
    ['runs are looked at first', job({ runCap: 1, costCapMicros: 1 }), use(1, 1), 'run_cap'],
  ] as const)('%s', (_what, asked, used, refusal) => {
    expect(refusalOf(asked, used)).toBe(refusal);
  });

  it('a run reserves all that is left; a check, a job without a cap and one of no task reserve nothing', () => {
    expect(budgetOf(job({ costCapMicros: 100 }), use(1, 30, 20))).toBe(50);
    expect(budgetOf(job({ kind: 'check', costCapMicros: 100 }), use(1, 30))).toBeNull();
    expect(budgetOf(job(), use(1, 30))).toBeNull();
    expect(budgetOf(job({ costCapMicros: 100 }), null)).toBeNull();
  });

  it('the task hears of a refused job once', () => {
    expect(refusalMessage({ id: '7' as JobId, role: 'analyst' }, 'ET-001' as TaskId, 'run_cap')).toEqual({
      taskId: 'ET-001',
      sourceKey: 'job_refused:7',
      body: { kind: 'job_refused', jobId: '7', role: 'analyst', reason: 'run_cap' },
    });
  });
});

describe('one job at a time', () => {
  it('a task with a live job gets no second one', () => {
    expect(() => refuseSecondJob({ cause: 'visit:2' }, null)).not.toThrow();
    const live = { id: '7' as JobId, taskId: 'ET-001' as TaskId, cause: 'visit:1' };
    expect(() => refuseSecondJob({ cause: 'visit:2' }, live)).toThrow(
      'task ET-001 has the live job 7 (visit:1); "visit:2"',
    );
  });

  it('waits as delayed until its moment', () => {
    expect([waitingState(5, 4), waitingState(5, 5), waitingState(5, 6)]).toEqual(['delayed', 'queued', 'queued']);
  });
});

describe('session to resume', () => {
  const before = (over: Parameters<typeof outcome>[0], host = 'h1') => ({
    host,
    outcome: outcome(over),
    sessionId: 's1',
  });
  it.each([
    ['after an interruption', before({ kind: 'interrupted', cause: 'worker_died' }), 's1'],
    ['after the limit of turns', before({ kind: 'own_fault', cause: 'max_turns' }), 's1'],
    ['after a fault of its own', before({ kind: 'own_fault', cause: 'exit_status' }), null],
    ['on another host', before({ kind: 'interrupted' }, 'h2'), null],
    ['of a run without an outcome', { ...before({}), outcome: null }, null],
    ['of no run', null, null],
  ])('%s', (_what, previous, session) => {
    expect(sessionToResume({ host: 'h1' }, previous)).toBe(session);
  });
});
