import { afterEach, expect, test } from 'vitest';
import { startMatrix, type Matrix } from '../support/matrix.ts';
import { checkCells } from '../support/matrix-checks.ts';
import { longRows, shortRefusals } from '../support/matrix-plans.ts';

const timeout = 600_000;

let matrix: Matrix | null = null;
afterEach(async () => {
  await matrix?.close();
  matrix = null;
});

test(
  'git over HTTP in trouble for hours: tried for as long as it lasts, nothing lost or doubled',
  { timeout },
  async () => {
    matrix = await startMatrix({
      peer: 'git',
      plans: longRows(['none', 'development', 'deploy'], ['429'], ['404 of a proxy', '307 elsewhere', 'emptied']),
      tickMs: 700_000,
      ticks: 1,
    });
    await matrix.run();
    await checkCells(matrix);
    // The other project is not kept waiting.
    expect(matrix.cells.at(-1)?.doneIn).toBeLessThan(6);
  },
);

test('git over HTTP refuses for some minutes: no task is held for it', { timeout }, async () => {
  matrix = await startMatrix({
    peer: 'git',
    plans: shortRefusals(['none', 'development', 'deploy']),
    tickMs: 30_000,
    ticks: 3,
  });
  await matrix.run();
  await checkCells(matrix);
});
