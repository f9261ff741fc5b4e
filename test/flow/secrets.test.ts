import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync, inflateSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { taskIdOf } from '../../src/core/model/index.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import { startLine, type Line } from '../support/line.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

/** Every form a token could leak in: plain, URL-encoded, and base64 at each of its three alignments. */
function forms(token: string): string[] {
  const aligned = [0, 1, 2].map((lead) => {
    const encoded = Buffer.from('x'.repeat(lead) + token).toString('base64');
    return encoded.slice(lead === 0 ? 0 : 4, Math.floor(((lead + token.length) * 8) / 24) * 4);
  });
  return [token, encodeURIComponent(token), ...aligned];
}

function* filesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(file);
    else if (entry.isFile() && statSync(file).size > 0) yield file;
  }
}

/** Content as it lies there and, where it is compressed (git objects), as it was. */
function contents(file: string): string {
  const bytes = readFileSync(file);
  const plain = [bytes.toString('latin1')];
  for (const unpack of [inflateSync, gunzipSync]) {
    try {
      plain.push(unpack(bytes).toString('latin1'));
    } catch {
      // Not compressed that way.
    }
  }
  return plain.join('\n');
}

/** Arguments and environments of every process that works for this line, while it runs. */
function processes(root: string): string {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const [args, environment, name] = ['cmdline', 'environ', 'comm'].map((part) =>
        readFileSync(`/proc/${pid}/${part}`, 'latin1'),
      );
      if (!`${args}\n${environment}`.includes(root)) continue;
      found.push(args ?? '');
      // git gets its token by environment, for the one call that needs it; nothing else may have it.
      if (name?.startsWith('git') !== true) found.push(environment ?? '');
    } catch {
      // Ended meanwhile, or not ours to read.
    }
  }
  return found.join('\n');
}

test('no token is in a file, an argument, an environment, a comment, a message or a pull request', async () => {
  line = await startLine({
    script: { roles: { reviewer: [{ act: 'request-changes' }], developer: [{ act: 'work' }, { crash: 'SIGKILL' }] } },
  });
  const { world, root } = line;
  startCi(world.gitea, world.repo, { decide: () => 'success' });
  const seen: string[] = [];
  const watching = setInterval(() => seen.push(processes(root)), 50);
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
  const needles = tokens.flatMap(forms);
  const leaks = (where: string, text: string): string[] =>
    needles.filter((needle) => text.includes(needle)).map((needle) => `${where}: ${needle.slice(0, 12)}…`);
  const found: string[] = [];
  let files = 0;
  for (const file of filesBelow(line.root)) {
    files += 1;
    found.push(...leaks(path.relative(line.root, file), contents(file)));
  }
  found.push(...leaks('comments', JSON.stringify(world.plane.commentsOf(item))));
  found.push(...leaks('telegram', JSON.stringify(world.telegram.messages)));
  found.push(...leaks('pull requests', JSON.stringify(world.repo.pulls)));
  found.push(...leaks('processes', seen.join('\n')));
  expect(files).toBeGreaterThan(50);
  expect(seen.filter((text) => text !== '').length).toBeGreaterThan(10);
  expect(found).toEqual([]);
}, 300_000);
