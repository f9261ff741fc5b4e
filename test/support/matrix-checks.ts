import { execFileSync } from 'node:child_process';
import { expect } from 'vitest';
import type { Cell, Matrix } from './matrix.ts';
import { saving, type Trouble } from './trouble.ts';
import { violations } from './violations.ts';

/**
 * Requests that one tick and the worker's turn after it may send to a place in trouble: the poll's list, a judgement, a
 * delivery with its look (a merge's: protection, checks and reviews too), and what an agent's end brings. A loop would be far
 * above.
 */
const perTick = 15;

/** Answers that are lost after the request has taken effect. */
const savedAnyway: Trouble[] = ['truncated', ...saving];

/** What must be so at the end of every cell, whatever the trouble was. */
export async function checkCells(matrix: Matrix): Promise<void> {
  const { line, cells } = matrix;
  const { world } = line;
  for (const cell of cells) {
    for (const { milestone, trouble, requests } of cell.met)
      expect(Math.max(...requests), `requests a tick, ${cell.name}: ${trouble} at ${milestone}`).toBeLessThanOrEqual(
        perTick,
      );
    for (const { milestone, trouble, said, requests } of cell.met) {
      // Said by whom it happened to, while it lasted. A list without its rows may pass for one that is empty, and a write
      // that was saved is found by the look that follows: nothing is wrong then.
      const saved = cell.plan?.side !== 'reads' && savedAnyway.includes(trouble);
      if (trouble === 'emptied' || saved || Math.max(...requests) === 0) continue;
      expect(said, `status, ${cell.name}: ${trouble} at ${milestone}`).toMatch(wordsOf(cell));
      if (trouble === '401') expect(said).toMatch(/Give (orch|a) .*token/);
    }
    const row = await line.task(cell.id);
    expect(row.task.stage, cell.name).toBe('done');
    expect(row.task.hold, cell.name).toBeNull();
    const pulls = cell.repo.pulls;
    expect(
      pulls.map(({ merged }) => merged !== null),
      `pull requests of ${cell.name}`,
    ).toEqual([true]);
    const marks = execFileSync('git', ['log', '--format=%(trailers:key=Orch-Merge,valueonly)', 'main'], {
      cwd: cell.repo.dir,
      encoding: 'utf8',
    });
    expect(marks.match(/\S+/g), `merges of ${cell.name}`).toHaveLength(1);
    checkComments(matrix, cell);
    const card = world.plane.state.items.find((item) => item.id === cell.itemId);
    expect(card === undefined ? '' : world.plane.stateName(card), cell.name).toBe('Done');
    // Two agents, one run each: nothing was run again for a peer's trouble, or counted that did not run.
    const runs = (await line.app.store.runs({ taskId: cell.id, limit: 50 })).filter(({ pid }) => pid !== null);
    expect(runs.map(({ role }) => role).reverse(), cell.name).toEqual(['developer', 'deployer']);
    expect(row.meta.runs, cell.name).toBe(2);
  }
  expect(await violations(null, line.app.config.dbPath)).toEqual([]);
  expect(matrix.elsewhere).toEqual([]);
  const after = JSON.parse(await matrix.status()) as { services: { poller: unknown }; troubles: unknown };
  expect(after.services.poller).toMatchObject({ problems: [], behind: [] });
  expect(after.troubles).toEqual([]);
}

/** How `status` names the trouble of one project or repository. */
function wordsOf(cell: Cell): RegExp {
  const { name } = cell.repo;
  return new RegExp(
    [
      `(Plane|Gitea) at \\S+ (answered|cannot be reached \\()[^"]*(${cell.project.id}|acme/${name})`,
      `Gitea (cannot be reached for|refused the (token|push) (for|to)|has no repository|listed no branch of) acme/${name}`,
      `the server answers git [\\w-]+ for acme/${name} with \\d{3}`,
      `requests for acme/${name} elsewhere`,
      `HTTP \\d+: `,
    ].join('|'),
  );
}

/** Every comment that a decision asked for stands in the work item, once. */
function checkComments({ line }: Matrix, cell: Cell): void {
  const comments = line.world.plane.state.comments.filter(
    (comment) => comment.issue === cell.itemId && comment.externalSource === 'orch',
  );
  const keys = comments.map(({ externalId }) => externalId);
  expect(new Set(keys).size, `comments of ${cell.name}`).toBe(keys.length);
  expect(keys.length, `comments of ${cell.name}`).toBeGreaterThanOrEqual(4);
}
