import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';

/** How large a repository is. */
export interface Size {
  files: number;
  /** Of files that earlier commits had and the newest has not, in MB that no compression makes smaller. */
  historyMegabytes: number;
  /** Branches of others. */
  foreign: number;
}

const perFolder = 100;
const historyBlob = 1_000_000;

/** Makes a bare repository of a size with the branch `main`, by `git fast-import`. */
export async function makeBigRepository(folder: string, { files, historyMegabytes, foreign }: Size): Promise<void> {
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', folder]);
  const child = spawn('git', ['--git-dir', folder, 'fast-import', '--quiet'], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = once(child, 'close');
  const write = async (part: string | Buffer): Promise<void> => {
    if (!child.stdin.write(part)) await once(child.stdin, 'drain');
  };
  let time = 1_700_000_000;
  const begin = (branch: string): string =>
    `commit refs/heads/${branch}\ncommitter a <a@example.org> ${(time += 60)} +0000\ndata 2\nx\n\n`;
  for (let n = 0; n < historyMegabytes; n += 1) {
    await write(`${begin('main')}M 100644 inline old.bin\ndata ${historyBlob}\n`);
    await write(randomBytes(historyBlob));
    await write('\n');
  }
  await write(`${begin('main')}${historyMegabytes > 0 ? 'D old.bin\n' : ''}`);
  for (let n = 0; n < files; n += 1) {
    const text = `file ${n}\n${'a line of text\n'.repeat(n % 40)}`;
    await write(`M 100644 inline ${fileOf(n)}\ndata ${text.length}\n${text}\n`);
  }
  for (let n = 0; n < foreign; n += 1) {
    const text = `stranger ${n}\n`;
    await write(
      `${begin(`strangers/${n}`)}from refs/heads/main\nM 100644 inline s.txt\ndata ${text.length}\n${text}\n`,
    );
  }
  child.stdin.end();
  const [code] = (await ended) as [number];
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
}

/** Path of the nth file. */
export function fileOf(n: number): string {
  const folder = Math.floor(n / perFolder);
  return `src/${Math.floor(folder / perFolder)}/${folder}/file-${n}.txt`;
}

/** Somebody commits one file to a branch of a bare repository, which begins at `main` when it is new. */
export function commitTo(folder: string, branch: string, file: string, text: string): void {
  const git = (...args: string[]): string =>
    execFileSync('git', ['--git-dir', folder, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
  const known = git('for-each-ref', '--format=x', `refs/heads/${branch}`) !== '';
  const from = known ? branch : 'main';
  const head = `commit refs/heads/${branch}\ncommitter a <a@example.org> now\ndata 2\nx\n\nfrom refs/heads/${from}^0\n`;
  const input = `${head}M 100644 inline ${file}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
  execFileSync('git', ['--git-dir', folder, 'fast-import', '--quiet', '--date-format=now'], { input, stdio: 'pipe' });
}
