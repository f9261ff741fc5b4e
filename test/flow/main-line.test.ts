import { afterEach, expect, test } from 'vitest';
import { taskIdOf } from '../../src/core/model/index.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import { startLine, type Line } from '../support/line.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

test('a work item goes from Plane to a merged pull request through all six agents', async () => {
  line = await startLine({ script: { roles: { reviewer: [{ act: 'request-changes' }] } } });
  const { world } = line;
  startCi(world.gitea, world.repo, { decide: () => 'success' });
  await line.tick();
  const item = world.plane.addItem(world.project, world.people.lead, {
    name: 'Корзина: discount for regular customers',
    description_html: '<p>Regular customers get a discount of ten percent on every cart.</p>',
  });
  const id = taskIdOf('ET', item.sequence);
  await line.until('the request for approval', id, (row) => row.task.hold?.cause === 'approval');
  world.plane.commentAs(world.people.guest, item, '<p>:approved:</p>');
  await line.tick();
  expect((await line.task(id)).task.stage).toBe('analysis');
  world.plane.commentAs(world.people.lead, item, '<p>:approved: go</p>');
  const row = await line.until('the end', id, (seen) => seen.task.stage === 'done');
  expect(row.task.counters.developerReruns).toBe(1);
  expect(await line.journal(id)).toContain('review.changes-requested');
  const comments = world.plane.commentsOf(item).filter((comment) => comment.externalSource === 'orch');
  expect(new Set(comments.map((comment) => comment.externalId)).size).toBe(comments.length);
  expect(world.plane.stateName(item)).toBe('Done');
  const pull = world.gitea.pull(world.repo, row.task.prNumber ?? 0);
  expect(pull.merged?.sha).toBe(row.task.mergedSha);
}, 300_000);
