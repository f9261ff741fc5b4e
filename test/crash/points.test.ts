import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashPoints } from '../../src/core/platform/crash-point.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import type { WorkItem } from '../../src/sandbox/plane/state.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orchHost, tasksIn, violations, type OrchHost } from '../support/crash.ts';

/** Effects are delivered by kind; a kill between sending and recording is another case for each. */
const effectPoints = ['git.start_branch', 'plane.comment', 'plane.state', 'gitea.open_pr', 'telegram.message'].map(
  (kind) => `effect.sent:${kind}`,
);
const points = [...crashPoints, ...effectPoints];

let root: string;
let world: World;
let host: OrchHost;

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'orch-crash-'));
  world = await startWorld({ root, lagMs: 5, workerDelayMs: 5 });
  startCi(world.gitea, world.repo, { decide: () => 'success' });
  host = orchHost(world, root);
});
afterAll(async () => {
  await world.close();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

/** People do what they are asked: every request for approval is answered once. */
function approve(items: WorkItem[], approved: Set<string>): void {
  for (const item of items) {
    const asked = world.plane
      .commentsOf(item)
      .some((comment) => (comment.externalId ?? '').endsWith('/approval_wanted'));
    if (!asked || approved.has(item.id)) continue;
    approved.add(item.id);
    world.plane.commentAs(world.people.lead, item, '<p>:approved:</p>');
  }
}

test('killed once at every crash point, the line still ends in done, with everything outside once', async () => {
  await host.run(['serve-poller', '--once']);
  const add = (n: number): WorkItem =>
    world.plane.addItem(world.project, world.people.lead, {
      name: `A discount for case ${n}`,
      description_html: '<p>Regular customers get ten percent off.</p>',
    });
  const items: WorkItem[] = [];
  const approved = new Set<string>();
  const killedAt = new Set<string>();
  const crash = async (args: string[], at: string): Promise<void> => {
    const ended = await host.run(args, { ORCH_CRASH_AT: at });
    if (ended.signal === 'SIGKILL') killedAt.add(at);
  };
  const left = (): string[] => points.filter((at) => !killedAt.has(at));
  for (let round = 0; round < 4 * points.length && left().length > 0; round += 1) {
    // Fresh work whenever nothing is on its way any more.
    if (round === 0 || tasksIn(host.database).every((task) => task.stage === 'done')) items.push(add(items.length + 1));
    approve(items, approved);
    const at = left()[round % left().length] ?? '';
    await crash(['serve-poller', '--once'], at);
    if (!killedAt.has(at)) await crash(['run-worker', '--once'], at);
  }
  expect([...points].filter((at) => !killedAt.has(at))).toEqual([]);
  await finish(items, approved);
  expect(tasksIn(host.database).map((task) => `${task.id} ${task.stage} ${task.hold ?? ''}`.trim())).toEqual(
    items.map((item) => `ET-${String(item.sequence).padStart(3, '0')} done`),
  );
  expect(await violations(world, host.database)).toEqual([]);
}, 600_000);

async function finish(items: WorkItem[], approved: Set<string>): Promise<void> {
  for (let round = 0; round < 60; round += 1) {
    approve(items, approved);
    await host.run(['serve-poller', '--once']);
    await host.run(['run-worker', '--until-empty']);
    if (
      tasksIn(host.database).every(
        (task) =>
          task.stage === 'done' ||
          (task.hold !== null && !['approval', 'ci', 'outside', 'cannot_see'].includes(task.hold)),
      )
    )
      return;
  }
}
