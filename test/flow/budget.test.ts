import { afterEach, expect, test } from 'vitest';
import { startCoding, type Coding } from '../support/coding.ts';

let coding: Coding | null = null;
afterEach(async () => {
  await coding?.line.close();
  coding = null;
});

const timeout = 240_000;

test(
  'dollars and runs are capped before a process starts; a retry says what starts again; counters survive',
  { timeout },
  async () => {
    coding = await startCoding({
      stages: ['development', 'review'],
      ci: () => 'success',
      config: { caps: { dollars: 0.2, runs: 3 } },
      roles: {
        developer: [{ cost: 0.15 }, { cost: 0.05 }],
        reviewer: [{ act: 'request-changes', cost: 0.1 }],
      },
    });
    const { line, id, item, held, idle, calls, retry } = coding;

    // What is left is passed on; when it is used nothing more is started, the rerun's place in the budget is kept.
    const money = await held('cost_cap');
    const given = (role: string, n: number): string => {
      const argv = calls(role)[n - 1]?.argv ?? [];
      return argv[argv.indexOf('--max-budget-usd') + 1] ?? '';
    };
    expect(Number(given('developer', 1))).toBeCloseTo(0.2);
    expect(Number(given('reviewer', 1))).toBeCloseTo(0.05);
    expect(money.meta).toMatchObject({ runs: 2, spentMicros: 250_000, reservedMicros: 0 });
    expect(money.task.hold).toMatchObject({ blocking: true, command: `orch retry ${id}` });
    expect(line.world.plane.stateName(item)).toBe('Blocked');
    await idle();
    await line.work();
    expect(calls('developer')).toHaveLength(1);

    await line.reopen();
    expect((await line.task(id)).meta.spentMicros).toBe(250_000);
    await retry();
    expect(await line.journal(id)).toContain('the cost cap starts again');
    const runs = await held('run_cap');
    // The run that was asked for by hand knows what the reviewer found.
    expect(calls('developer')[1]?.orders).toContain('say what the function returns');
    expect(Number(given('developer', 2))).toBeCloseTo(0.2);
    expect(runs.meta.runs).toBe(3);
    expect(runs.task.counters.developerReruns).toBe(1);
    await retry();
    expect(await line.journal(id)).toContain('the run cap starts again');
    const { meta } = await coding.reach('the end', (row) => row.task.stage === 'done');
    expect(meta.runs).toBe(4);
  },
);
