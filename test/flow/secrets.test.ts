import { afterEach, expect, test } from 'vitest';
import { taskIdOf } from '../../src/core/model/index.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import { leaksBelow, leaksIn, processesOf } from '../support/leaks.ts';
import { startLine, type Line } from '../support/line.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

test('no token is in a file, an argument, an environment, a comment, a message or a pull request', async () => {
  line = await startLine({
    script: { roles: { reviewer: [{ act: 'request-changes' }], developer: [{ act: 'work' }, { crash: 'SIGKILL' }] } },
  });
  const { world, root } = line;
  startCi(world.gitea, world.repo, { decide: () => 'success' });
  const seen: string[] = [];
  // git gets its token by environment, for the one call that needs it; nothing else may have it.
  const look = (): string =>
    processesOf(root)
      .map(({ name, args, environment }) => (name.startsWith('git') ? args : `${args}\n${environment}`))
      .join('\n');
  const watching = setInterval(() => seen.push(look()), 50);
  await line.tick();
  const item = world.plane.addItem(world.project, world.people.lead, {
    name: 'A discount for regular customers',
    description_html: '<p>Regular customers get a discount of ten percent.</p>',
  });
  const id = taskIdOf('ET', item.sequence);
  await line.until('the request for approval', id, (row) => row.task.hold?.cause === 'approval');
  world.plane.commentAs(world.people.lead, item, '<p>:approved:</p>');
  await line.until('the end', id, (row) => row.task.stage === 'done');
  clearInterval(watching);
  const tokens = Object.values(world.env);
  expect(tokens.length).toBe(3);
  const { files, leaks: found } = leaksBelow(root, tokens);
  found.push(...leaksIn('comments', JSON.stringify(world.plane.commentsOf(item)), tokens));
  found.push(...leaksIn('telegram', JSON.stringify(world.telegram.messages), tokens));
  found.push(...leaksIn('pull requests', JSON.stringify(world.repo.pulls), tokens));
  found.push(...leaksIn('processes', seen.join('\n'), tokens));
  expect(files).toBeGreaterThan(50);
  expect(seen.filter((text) => text !== '').length).toBeGreaterThan(10);
  expect(found).toEqual([]);
}, 300_000);
