import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { createObjectReader } from '../../src/core/git/object-reader.ts';

let folder = '';
let dir = '';
const git = (...args: string[]): string =>
  execFileSync('git', ['--git-dir', dir, ...args], { encoding: 'utf8' }).trim();
const write = (text: string | Buffer): string =>
  execFileSync('git', ['--git-dir', dir, 'hash-object', '-w', '--stdin'], { encoding: 'utf8', input: text }).trim();
/** The processes that read this copy. */
const readers = (): number[] =>
  execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`${dir} cat-file --batch-command`))
    .map((line) => Number(line.trim().split(' ')[0]));

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-objects-'));
  dir = path.join(folder, 'copy.git');
  execFileSync('git', ['init', '-q', '--bare', dir]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the object reader', () => {
  it('answers many questions at once by one process, each with its own bytes', async () => {
    const reader = createObjectReader(dir, 60_000);
    const texts = Array.from({ length: 300 }, (_, index) => `${'x\n'.repeat(index)}${index}`);
    const ids = texts.slice(0, 40).map((text) => write(text));
    const answers = await Promise.all(
      ids.flatMap((id) => [reader.contents(id), reader.info(`${id}^{commit}`), reader.info(id)]),
    );
    ids.forEach((id, index) => {
      const text = texts[index] ?? '';
      expect(String(answers[3 * index])).toBe(text);
      expect(answers[3 * index + 1]).toBeNull();
      expect(answers[3 * index + 2]).toEqual({ id, type: 'blob', size: text.length });
    });
    expect(readers()).toHaveLength(1);
    await reader.close();
    await until('the reader to end', () => readers().length === 0);
  });

  it('sees what is added after it was started, in packs too, and what is packed under it', async () => {
    const reader = createObjectReader(dir, 60_000);
    expect(await reader.info('0'.repeat(40))).toBeNull();
    const tree = git('write-tree');
    const commit = execFileSync('git', ['--git-dir', dir, 'commit-tree', tree, '-m', 'first'], {
      encoding: 'utf8',
      env: { ...process.env, ...person },
    }).trim();
    git('update-ref', 'refs/heads/main', commit);
    expect(await reader.info('refs/heads/main^{tree}')).toEqual({ id: tree, type: 'tree', size: 0 });
    git('repack', '-q', '-a', '-d');
    git('pack-refs', '--all', '--prune');
    expect((await reader.info('refs/heads/main^{commit}'))?.id).toBe(commit);
    await reader.close();
  });

  it('reads bytes of any kind, the length of many pipes', async () => {
    const reader = createObjectReader(dir, 60_000);
    const bytes = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 7) % 256));
    const id = write(bytes);
    expect((await reader.contents(id))?.equals(bytes)).toBe(true);
    await reader.close();
  });

  it('takes a name with a line end in it for the name of nothing', async () => {
    const reader = createObjectReader(dir, 60_000);
    const id = write('secret');
    expect(await reader.contents(`nothing\ncontents ${id}`)).toBeNull();
    expect(await reader.contents(`${id}\0`)).toBeNull();
    expect(String(await reader.contents(id))).toBe('secret');
    await reader.close();
  });

  it('goes on when its process was killed, between questions and within one', async () => {
    const reader = createObjectReader(dir, 60_000);
    const id = write('kept');
    expect(String(await reader.contents(id))).toBe('kept');
    for (const pid of readers()) process.kill(pid, 'SIGKILL');
    expect(String(await reader.contents(id))).toBe('kept');
    const [pid = 0] = readers();
    process.kill(pid, 'SIGSTOP');
    const asked = reader.contents(id);
    await new Promise((resolve) => setImmediate(resolve));
    process.kill(pid, 'SIGKILL');
    expect(String(await asked)).toBe('kept');
    await reader.close();
  });

  it('says that it did not answer in time, and answers the next question', async () => {
    const reader = createObjectReader(dir, 300);
    const id = write('late');
    await reader.info(id);
    for (const pid of readers()) process.kill(pid, 'SIGSTOP');
    await expect(reader.info(id)).rejects.toMatchObject({ code: 'git_timeout', retry: 'later' });
    expect((await reader.info(id))?.size).toBe(4);
    await reader.close();
  });

  it('says what git says of a folder that is no repository, and of an object that is damaged', async () => {
    const nowhere = createObjectReader(folder, 60_000);
    await expect(nowhere.info('HEAD')).rejects.toMatchObject({ code: 'git_failed' });
    const id = write('damaged');
    const file = path.join(dir, 'objects', id.slice(0, 2), id.slice(2));
    rmSync(file);
    writeFileSync(file, 'no object');
    const reader = createObjectReader(dir, 60_000);
    const found = await reader.contents(id).catch((error: unknown) => error);
    expect(found === null || (found as { code?: string }).code === 'git_failed').toBe(true);
    await reader.close();
  });
});

const person = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@b.c',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@b.c',
};
