import { expect, test } from 'vitest';
import { runGit } from '../../src/core/git/run.ts';

const killed = { code: 'git_killed', retry: 'later' };
const timeoutMs = 60_000;

test.each(['KILL', 'PIPE', 'TERM'])(
  'git that is ended by SIG%s is called again, not reported as missing',
  async (signal) => {
    const args = ['-c', `alias.end=!kill -${signal} $PPID; sleep 0.1`, 'end'];
    await expect(runGit({ args, timeoutMs })).rejects.toMatchObject(killed);
  },
);

test('git whose other end is killed is called again', async () => {
  const args = ['ls-remote', '--upload-pack=kill -KILL $PPID; kill -KILL $$ #', '/'];
  await expect(runGit({ args, timeoutMs })).rejects.toMatchObject(killed);
});

test('git that is not there is missing', async () => {
  const before = process.env['PATH'];
  process.env['PATH'] = '/nonexistent';
  try {
    await expect(runGit({ args: ['version'], timeoutMs })).rejects.toMatchObject({
      code: 'git_missing',
      retry: 'never',
    });
  } finally {
    process.env['PATH'] = before;
  }
});
