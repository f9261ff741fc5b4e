import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { parseRepoSlug } from '../../src/core/model/index.ts';
import { movedClock, startCoding, type Coding, type MovedClock } from '../support/coding.ts';

let coding: Coding | null = null;
let ends: (() => void)[] = [];
afterEach(async () => {
  await coding?.line.close();
  coding = null;
  for (const end of ends) end();
  ends = [];
});

const timeout = 240_000;

/** Somebody else's server: remembers who came, and with what. */
async function stranger(): Promise<{ url: string; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"x","results":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** Ticks and works, with the time of every backoff gone by, until it is so. */
async function passTime(
  { line }: Coding,
  clock: MovedClock,
  what: string,
  done: () => Promise<boolean>,
): Promise<void> {
  for (let round = 0; round < 120; round += 1) {
    await line.tick();
    await line.work();
    if (await done()) return;
    clock.skip(90_000);
  }
  throw new Error(`${what} did not happen`);
}

test('redirects to another host: nobody goes there, and the token stays', { timeout }, async () => {
  const { url, seen } = await stranger();
  const clock = movedClock();
  coding = await startCoding({ stages: ['analysis', 'development'], appClock: clock });
  const { line, id } = coding;
  const { plane, gitea, telegram } = line.world;
  const peers = [plane, gitea, telegram];
  for (const peer of peers) {
    for (const status of [301, 302, 307, 308]) {
      const headers = { location: `${url}/away` };
      peer.faults.push({ match: /./, times: 1, action: { kind: 'answer', status, headers, body: '' } });
    }
  }
  await passTime(coding, clock, 'the approval after every redirect', async () => {
    const over = peers.every(({ faults }) => faults.every(({ times }) => times === 0));
    return over && (await line.task(id)).task.hold?.cause === 'approval';
  });
  expect(seen).toEqual([]);
});

test('addresses in answers are never used: clone, html and API addresses name a stranger', { timeout }, async () => {
  const { url, seen } = await stranger();
  coding = await startCoding({ stages: ['development', 'review', 'deploy'], ci: () => 'success' });
  const { line, reach, item } = coding;
  const { gitea, plane, telegram } = line.world;
  // Whatever the server says its own address is: every link in its answers is made from it.
  gitea.state.url = url;
  await reach('the end', (row) => row.task.stage === 'done');
  expect(seen).toEqual([]);
  const said = JSON.stringify([plane.commentsOf(item), telegram.messages]);
  expect(said).toContain('/acme/shop/');
  expect(said).not.toContain(url);
});

/** Answers that are no answers; each is given to whatever orch asks next, and must end as trouble, not as news. */
const poisons: string[] = [
  '{"__proto__":{"archived":true,"merged":true,"allowed":true},"constructor":{"prototype":{"merged":true}}}',
  '{"id":7,"name":["x"],"sequence_id":"1e9","results":{"0":"x"},"updated_at":{},"labels":"all","number":"1"}',
  '[[[]]]',
  'null',
  '1e308',
  `"${'x'.repeat(10_000_000)}"`,
  `[${'{"id":"x"},'.repeat(1_900_000)}{}]`,
  '['.repeat(200_000) + ']'.repeat(200_000),
  '{"results": [{"id":',
  '{"error":"\\u001b[2J\\u009b31m\\u202E\\n12:00:00 error: forged","detail":"\\r\\u0007"}',
];

test('answers that are no answers: nothing of them is believed, and the line goes on', { timeout }, async () => {
  const clock = movedClock();
  coding = await startCoding({ stages: ['analysis', 'development'], appClock: clock });
  const { line, id } = coding;
  const peers = [line.world.plane, line.world.gitea];
  for (const body of poisons) {
    for (const status of [200, 500]) {
      const headers = { 'content-type': 'application/json' };
      const action = { kind: 'answer', status, body, headers } as const;
      for (const { faults } of peers) faults.push({ match: /api\/v1/, times: 1, action });
    }
  }
  await passTime(coding, clock, 'the approval after every poison', async () => {
    const row = await line.app.store.task(id);
    if (row !== null) expect(row.task).toMatchObject({ mergedSha: null, paused: false });
    // Gitea's API is asked only once there is a pull request; git was, behind it.
    return line.world.plane.faults.every(({ times }) => times === 0) && row?.task.hold?.cause === 'approval';
  });
  // The rest is Gitea's: asked directly, each is refused as what it is.
  const asked = poisons.flatMap(() => [200, 500]).map(() => line.app.engine.forge.pull(parseRepoSlug('acme/shop'), 1));
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).not.toContain('fulfilled');
  expect(({} as Record<string, unknown>)['merged']).toBeUndefined();
  expect(({} as Record<string, unknown>)['allowed']).toBeUndefined();
});

test('a pull request from a fork with the branch of a task is not taken for it', { timeout }, async () => {
  coding = await startCoding({ stages: ['development', 'review', 'deploy'], ci: () => 'success' });
  const { line, reach, id, branch } = coding;
  const { gitea, repo } = line.world;
  await line.tick();
  const mallory = gitea.addUser({ login: 'mallory' });
  const name = await branch();
  const base = gitea.head(repo, 'main') ?? '';
  await gitea.injectForkPr(mallory, repo, { head: name, title: 'mine', sha: base });
  await reach('the end', (row) => row.task.stage === 'done');
  const { prNumber } = (await line.task(id)).task;
  const [fork, own] = [
    repo.pulls.find((pull) => pull.fork !== null),
    repo.pulls.find((pull) => pull.number === prNumber),
  ];
  expect(own?.fork).toBeNull();
  expect(own?.merged).not.toBeNull();
  expect(fork).toMatchObject({ state: 'open', merged: null });
});

test('a comment planted under the id of a notice suppresses nothing', { timeout }, async () => {
  coding = await startCoding({ stages: ['analysis', 'development'] });
  const { line, held, item, id } = coding;
  const { plane, people, project } = line.world;
  const address = `${plane.url}/api/v1/workspaces/${plane.state.workspace.slug}/projects/${project.id}/work-items/${item.id}/comments/`;
  const plant = (name: string): Promise<Response> =>
    fetch(address, {
      method: 'POST',
      headers: { 'x-api-key': people.guest.token, 'content-type': 'application/json' },
      body: JSON.stringify({ comment_html: '<p>quiet</p>', external_source: 'orch', external_id: name }),
    });
  // Keys are not secret: task, version, name of the event.
  for (let version = 1; version < 12; version += 1)
    for (const event of ['approval_wanted', 'intake_accepted', 'stage_changed'])
      expect((await plant(`${id}/${version}/${event}`)).status).toBe(201);
  await held('approval');
  const asked = plane.commentsOf(item).filter((comment) => comment.html.includes(':approved:'));
  expect(asked).toHaveLength(1);
  expect(asked[0]?.actor).toBe(people.bot.id);
  plane.commentAs(people.lead, item, '<p>:approved:</p>');
  await coding.reach('the next stage', (row) => row.task.stage === 'development');
});
