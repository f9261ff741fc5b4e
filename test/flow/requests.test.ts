import { afterEach, expect, test } from 'vitest';
import { countRequests, counted } from '../support/request-count.ts';
import { startLine, type Line } from '../support/line.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

test('a task without a bounce asks Plane at most 20 times, and Gitea at most 13 times a run, 18 where the run ends in the merge', async () => {
  line = await startLine({ script: { roles: {} } });
  const { taskId, tracker, runs } = await countRequests(line);
  const shown = [
    `Plane, ${tracker.length}: ${counted(tracker)}`,
    ...runs.map(({ role, api, git }) => `${role}: API ${api.length} (${counted(api)}), git ${git.length}`),
  ].join('\n');
  console.info(shown);
  expect((await line.task(taskId)).task.stage, shown).toBe('done');
  expect(tracker.length, shown).toBeLessThanOrEqual(20);
  expect(runs.map(({ role }) => role)).toEqual(['analyst', 'architect', 'developer', 'reviewer', 'tester', 'deployer']);
  // What is written, and what is looked at before it: two for the reviews of people. The tester's end asks for the merge as well.
  const most: Record<string, number> = { developer: 5, reviewer: 4, tester: 8, deployer: 4 };
  for (const { role, api, git } of runs) {
    expect(api.length, `${role}\n${shown}`).toBeLessThanOrEqual(most[role] ?? 0);
    expect(api.length + git.length, `${role}\n${shown}`).toBeLessThanOrEqual(role === 'tester' ? 18 : 13);
  }
}, 120_000);
