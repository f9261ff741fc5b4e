import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, expect, test } from 'vitest';
import { isFinal } from '../../src/core/model/index.ts';
import { runRounds } from '../../src/core/engine/rounds.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { startLine, type Line } from '../support/line.ts';
import { planeSide } from '../support/plane-side.ts';

// Every start of git stalls the process for as long as its memory is large, so a whole run, poller included, starts few of
// them; and the server is asked for its branches once in a tick or a round, not for every look at evidence.

const calls: string[][] = [];
const note = (args: unknown): void => void calls.push(args as string[]);
let line: Line | null = null;
afterEach(async () => {
  unsubscribe('orch:git', note);
  await line?.close();
  line = null;
});

/** 25, less the readers of objects that end while a real agent works: two of the worker, one of the poller. */
const most = 25 - 3;

test('a run starts few processes of git and asks the server seldom', { timeout: 120_000 }, async () => {
  line = await startLine({
    script: { roles: {} },
    configure: (config) => {
      const own = (config['projects'] as Record<string, unknown>[])[0];
      config['projects'] = [
        {
          ...own,
          pipelines: { default: { stages: ['architecture', 'development', 'testing'] } },
          gates: { development: 'tests-local' },
          tests: { command: ['true'] },
        },
      ];
    },
  });
  const { app } = line;
  const side = planeSide(line);
  await side.tick();
  const id = side.id(side.add('Quantities add up'));
  await line.tick();
  const worker = createWorker(
    app.workerDeps(() => runRounds({ decisions: 0, delivered: 0, problems: [] }, app.engine)),
  );
  subscribe('orch:git', note);
  const totals: number[] = [];
  for (let run = 1; run <= 4; run += 1) {
    calls.length = 0;
    expect(await worker.runOnce()).toBe('ran');
    await line.tick();
    const said = calls.map((args) => args.join(' '));
    const count = (words: string, lines = said): number => lines.filter((text) => text.includes(words)).length;
    totals.push(said.length);
    expect(said.length, said.join('\n')).toBeLessThanOrEqual(most);
    // From the push on, the tick that follows left out: what settles the run.
    const settling = said.slice(said.findIndex((text) => text.includes(' push '))).slice(0, -1);
    if (count(' push ') === 1) expect(count('ls-remote', settling), said.join('\n')).toBeLessThanOrEqual(2);
    expect([count(' fetch '), count('ls-remote') <= 4]).toEqual([0, true]);
  }
  expect(isFinal((await line.task(id)).task.stage), totals.join(' ')).toBe(true);
});
