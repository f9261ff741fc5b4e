import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { movedClock, startCoding, type Coding } from '../support/coding.ts';

let coding: Coding | null = null;
afterEach(async () => {
  await coding?.line.close();
  coding = null;
});

const minute = 60_000;
// Some ten agents run one after the other; a busy machine takes its time.
const timeout = 240_000;

test(
  'CI: silent, stuck, red, old green, warning, skipped, red after the review began, the budget and its retry',
  { timeout },
  async () => {
    const clock = movedClock();
    coding = await startCoding({ stages: ['development', 'review', 'testing'], clock, appClock: clock });
    const { line, id, held, idle, retry, calls, jobs, head, script } = coding;
    const gate = path.join(line.root, 'reviewed');
    const { gitea, repo, plane } = line.world;
    const say = (sha: string, state: string, context = 'ci/test'): void =>
      gitea.setStatus(repo, sha, context, state, {
        description: `it is ${state}`,
        targetUrl: `https://ci.example.org/${sha}`,
      });

    await held('ci');
    clock.skip(11 * minute);
    await held('ci_silent');
    clock.skip(50 * minute);
    await held('ci_stuck');
    expect(plane.stateName(coding.item)).toBe('Blocked');
    expect((await line.task(id)).task.hold?.blocking).toBe(false);

    // CI wakes up, with a failure: one rerun, whatever is seen of it again.
    const first = await head();
    say(first, 'pending');
    await idle(2);
    expect(await jobs()).toHaveLength(1);
    say(first, 'failure');
    await idle();
    expect((await jobs()).map((job) => job.state)).toEqual(['queued', 'done']);
    expect(plane.stateName(coding.item)).toBe('In Progress');
    await line.work();
    const [, second] = calls('developer');
    expect(second?.orders).toContain('ci/test');
    expect(second?.orders).toContain(`https://ci.example.org/${first}`);
    expect(second?.orders).toContain('it is failure');

    // Green for the old code of the branch says nothing about the new.
    await held('ci');
    expect(await head()).not.toBe(first);
    say(first, 'success');
    await idle(3);
    expect((await line.task(id)).task.stage).toBe('development');
    say(await head(), 'warning', 'ci/lint');
    await line.tick();
    expect((await line.task(id)).task.counters.developerReruns).toBe(2);
    await line.work();
    await held('ci');
    say(await head(), 'skipped');
    script({ reviewer: [{ waitFor: gate, act: 'work' }] });

    // Red while the reviewer works: it is left to finish, then the developer goes on.
    const { ended } = await coding.begin('reviewer', 1);
    say(await head(), 'failure');
    await idle(3);
    expect((await line.task(id)).liveJob?.cancelRequested).toBe(false);
    writeFileSync(gate, '');
    await ended;
    await coding.reach('the third rerun', (row) => row.task.counters.developerReruns === 3);
    expect(await line.journal(id)).toContain('review.red-code');
    await held('ci');

    // The budget is used: one hold with the command; a retry starts it again and the findings go along.
    say(await head(), 'failure');
    const used = await held('developer_budget');
    expect(used.task.hold).toMatchObject({ blocking: true, command: `orch retry ${id}` });
    expect(plane.stateName(coding.item)).toBe('Blocked');
    await idle();
    const alerts = line.world.telegram.messages.filter((message) => JSON.stringify(message).includes('orch retry'));
    expect(alerts).toHaveLength(1);
    await line.reopen();
    expect((await line.task(id)).task.counters.developerReruns).toBe(3);
    await retry();
    expect(await line.journal(id)).toContain('the budget of developer reruns starts again');
    await line.work();
    expect(calls('developer').at(-1)?.orders).toContain('it is failure');
    expect((await line.task(id)).task.counters.developerReruns).toBe(1);

    // The reviewer's and the tester's documents keep CI's word about the code below them.
    await held('ci');
    const green = await head();
    say(green, 'success');
    await coding.reach('the end', (row) => row.task.stage === 'done');
    expect(await head()).not.toBe(green);
  },
);

test('CI: required contexts, a developer without new code, nothing to do', { timeout }, async () => {
  coding = await startCoding({
    stages: ['development'],
    project: { ci: { requiredContexts: ['build', 'test'] } },
    roles: { developer: [{}, { act: 'nothing' }, { act: 'nothing-to-do' }, {}] },
  });
  const { line, id, held, idle, retry, jobs, head } = coding;
  const { gitea, repo } = line.world;
  await held('ci');
  gitea.setStatus(repo, await head(), 'build', 'success');
  gitea.setStatus(repo, await head(), 'lint', 'failure');
  await idle(2);
  expect((await line.task(id)).task.hold).toMatchObject({
    cause: 'ci',
    text: expect.stringContaining('test') as string,
  });
  gitea.setStatus(repo, await head(), 'test', 'skipped');
  await held('no_new_code');
  expect((await line.task(id)).task.counters.developerReruns).toBe(1);
  await idle();
  expect(await jobs()).toHaveLength(2);
  await retry();
  const said = await held('no_new_code');
  await coding.reach('the second run without code', (row) => row.task.hold?.text.includes('nothing to do') === true);
  expect(said.task.stage).toBe('development');
  await retry();
  await held('ci');
  for (const context of ['build', 'test']) gitea.setStatus(repo, await head(), context, 'success');
  await coding.reach('the end', (row) => row.task.stage === 'done');
});
