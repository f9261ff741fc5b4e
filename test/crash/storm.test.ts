import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { startCrashWorld } from '../support/crash-world.ts';
import { treesOf } from '../support/processes.ts';
import { explain, progress, rage, type Weather } from '../support/storm.ts';
import { violations } from '../support/violations.ts';
import { testSeed } from '../support/seed.ts';

/** The long form is a command (`npm run test:crash`), the short one runs with every test. */
const long = process.env['ORCH_CRASH_LONG'] === '1';
const minutes = 60_000;
/** A smaller or larger storm. */
const given = (name: string, usual: number): number => Number(process.env[`ORCH_STORM_${name}`] ?? usual);
const seed = testSeed(Date.now() % 1_000_000);

const weather: Omit<Weather, 'signal' | 'longStopMs'> = {
  seed,
  items: given('ITEMS', long ? 50 : 3),
  strikes: given('STRIKES', long ? 300 : 15),
  gust: long ? 10 : 5,
  everyMs: long ? 700 : 900,
  limitMs: (long ? 45 : 6) * minutes,
  maxConcurrency: 2,
  leaseMs: 2_000,
  // People at a terminal belong to the long form.
  commands: given('COMMANDS', long ? 35 : 0),
};

const cancelledBy = (asked: Set<string>, task: string): boolean => asked.has(task.replace(/ cancelled$/, ''));

/** Temporary files of processes that are dead. */
function leftBehind(root: string): string[] {
  const found = execFileSync(
    'find',
    [root, ...['-name', 'orch-index-*', '-o', '-name', '*.git-*', '-o', '-name', '*.git.*.tmp']],
    { encoding: 'utf8' },
  );
  return found.split('\n').flatMap((file) => (file === '' ? [] : [`${file} was left behind`]));
}

// The storm of stopped processes belongs to the long form.
for (const signal of long ? (['SIGKILL', 'SIGSTOP'] as const) : (['SIGKILL'] as const)) {
  test(
    `a storm of ${signal} over pollers, workers, supervisors and agents loses nothing and doubles nothing, seed ${seed}`,
    async () => {
      const longStopMs = signal === 'SIGSTOP' ? 130_000 : null;
      const whole: Weather = { ...weather, signal, longStopMs };
      const { leaseMs, maxConcurrency } = whole;
      const worker = {
        leaseSeconds: leaseMs / 1000,
        maxConcurrency,
        pollIntervalSeconds: 0.2,
        backoffBaseSeconds: 0.2,
      };
      const crash = await startCrashWorld(worker);
      try {
        const first = await crash.host.run(['serve-poller', '--once']);
        expect(first.code, first.stderr).toBe(0);
        for (let n = 0; n < whole.items; n += 1) crash.addItem();
        const { strikes, struck, broken, typed, cancelled } = await rage(crash, whole);
        progress(
          whole,
          `${strikes} strikes over ${crash.items.length} tasks: ${JSON.stringify({ ...struck, ...typed })}`,
        );
        const found = [
          ...broken,
          ...(await violations(crash.world, crash.host.database)),
          ...crash.seenByAgents(),
          ...treesOf(crash.root).map((pid) => `process ${pid} of a run is alive`),
          ...crash.tasks().filter((task) => !/^ET-\d+ done$/.test(task) && !cancelledBy(cancelled, task)),
          ...leftBehind(crash.root),
        ];
        if (found.length > 0) progress(whole, `\n${await explain(crash, found)}`);
        expect(found).toEqual([]);
        expect(crash.tasks()).toHaveLength(crash.items.length);
        expect(strikes).toBeGreaterThanOrEqual(whole.strikes);
      } finally {
        await crash.close();
      }
    },
    weather.limitMs + 15 * minutes,
  );
}
