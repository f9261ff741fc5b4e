import { statSync } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { OrchError } from '../model/index.ts';
import { failed, gitEnvironment, gitStarts, killed, missing, timedOut } from './run.ts';

/** Where an object is: its id, kind and size in bytes. */
interface ObjectInfo {
  id: string;
  type: string;
  size: number;
}

/** Reads objects and refs of one bare copy through one long-lived process, so that a look costs no start of a program. */
export interface ObjectReader {
  /**
   * What a revision names; null when there is nothing of that name.
   * @param revision a ref's full name or an object's id, with `^{commit}`, `^{tree}` or `:path` after it
   * @throws OrchError `git_killed` (retry), `git_timeout` (retry), `git_missing`, `git_failed`
   */
  info(revision: string): Promise<ObjectInfo | null>;
  /** The bytes of an object; null when there is none. For small objects: all of it is held in memory. */
  contents(revision: string): Promise<Buffer | null>;
  /** Ends the process; the next question starts another. */
  close(): Promise<void>;
}

/** A reader that nobody asks is ended after this, milliseconds. */
const idleMs = 10_000;
/** Of what git says of an error, characters. */
const maxSaid = 4096;

interface Question {
  line: string;
  withBytes: boolean;
  again: boolean;
  answer: (found: { info: ObjectInfo; bytes: Buffer } | null) => void;
  fail: (error: Error) => void;
}

interface Child {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  kill(signal: NodeJS.Signals): boolean;
  ref(): void;
  unref(): void;
}

/** One process and the questions it has not answered yet. */
interface Session {
  child: Child;
  /** The end of what it wrote to standard error. */
  said: string;
  ended: boolean;
  /** When a pack last came or went, ms since the epoch: git still answers from deleted ones that it has open. */
  packs: number;
  waiting: Question[];
  chunks: Buffer[];
  length: number;
  /** Bytes that must be there before it is worth looking at them. */
  wanted: number;
  limit: NodeJS.Timeout | null;
}

/**
 * @param timeoutMs the process is ended when it answers nothing for this long, milliseconds
 */
export function createObjectReader(gitDir: string, timeoutMs: number): ObjectReader {
  let session: Promise<Session> | null = null;

  function packsAt(): number {
    return statSync(path.join(gitDir, 'objects', 'pack'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  async function start(): Promise<Session> {
    const { execa } = await import('execa');
    const packs = packsAt();
    const args = ['--git-dir', gitDir, 'cat-file', '--batch-command'];
    gitStarts.publish(args);
    const child = execa('git', args, {
      cwd: '/',
      env: gitEnvironment(),
      extendEnv: false,
      // A group of its own: Ctrl-C at the terminal must not end a look in the middle of a shutdown.
      detached: true,
      stdin: 'pipe',
      buffer: false,
      reject: false,
    });
    const made: Session = {
      child,
      said: '',
      ended: false,
      packs,
      waiting: [],
      chunks: [],
      length: 0,
      wanted: 1,
      limit: null,
    };
    child.stdout.on('data', (chunk: Buffer) => {
      made.chunks.push(chunk);
      made.length += chunk.length;
      if (made.length >= made.wanted) read(made);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      made.said = `${made.said}${chunk.toString('utf8')}`.slice(-maxSaid);
    });
    child.stdin.on('error', () => undefined);
    void child.then(({ exitCode, signal, originalMessage }) => {
      if (signal !== undefined) end(made, killed('cat-file', `by ${signal}`));
      else if (exitCode === undefined) end(made, missing(originalMessage));
      else end(made, failed({ args: ['cat-file'] }, { code: exitCode, stdout: '', stderr: made.said }));
    });
    hold(made, false);
    return made;
  }

  /** Whether this process may end while the reader runs. */
  function hold({ child }: Session, held: boolean): void {
    for (const part of [child, child.stdin, child.stdout, child.stderr] as { ref?: () => void; unref?: () => void }[]) {
      if (held) part.ref?.();
      else part.unref?.();
    }
  }

  function read(from: Session): void {
    let bytes = from.chunks.length === 1 ? (from.chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(from.chunks);
    from.wanted = 1;
    for (let question = from.waiting[0]; question !== undefined; [question] = from.waiting) {
      const lineEnd = bytes.indexOf(0x0a);
      if (lineEnd < 0) break;
      const match = /^([0-9a-f]{40,64}) (\w+) (\d+)$/.exec(bytes.toString('latin1', 0, lineEnd));
      const info = match === null ? null : { id: match[1] ?? '', type: match[2] ?? '', size: Number(match[3]) };
      let next = lineEnd + 1;
      if (info !== null && question.withBytes) next += info.size + 1;
      if (bytes.length < next) {
        from.wanted = next;
        break;
      }
      from.waiting.shift();
      question.answer(
        info && { info, bytes: question.withBytes ? bytes.subarray(lineEnd + 1, next - 1) : bytes.subarray(0, 0) },
      );
      bytes = bytes.subarray(next);
      watch(from);
    }
    from.chunks = bytes.length === 0 ? [] : [bytes];
    from.length = bytes.length;
  }

  /** While questions wait, the time of an answer is limited; afterwards the time that nobody asks. */
  function watch(on: Session): void {
    if (on.limit !== null) clearTimeout(on.limit);
    const idle = on.waiting.length === 0;
    hold(on, !idle);
    on.limit = setTimeout(
      () => {
        if (idle) stop(on);
        else end(on, timedOut('cat-file', timeoutMs));
      },
      idle ? idleMs : timeoutMs,
    );
    if (idle) on.limit.unref();
  }

  /** No further question is asked of this process; it ends when it has answered those it has. */
  function stop(of: Session): void {
    of.ended = true;
    of.child.stdin.end();
  }

  /** The process is gone, or has to go: what it leaves is asked of another one, once. */
  function end(of: Session, error: OrchError): void {
    of.ended = true;
    if (of.limit !== null) clearTimeout(of.limit);
    of.child.kill('SIGKILL');
    for (const question of of.waiting.splice(0)) {
      if (question.again || error.code === 'git_timeout') question.fail(error);
      else void ask({ ...question, again: true });
    }
  }

  /** One process takes the place of an ended one, however many ask at the same moment. */
  async function replace(old: Session): Promise<Session> {
    if ((await session) === old) session = start();
    return session ?? (session = start());
  }

  async function ask(question: Question): Promise<void> {
    try {
      let asked = await (session ??= start());
      if (asked.packs !== packsAt() && !asked.ended) stop(asked);
      if (asked.ended) asked = await replace(asked);
      if (asked.ended) throw killed('cat-file', 'as it began');
      asked.waiting.push(question);
      asked.child.stdin.write(question.line);
      if (asked.waiting.length === 1) watch(asked);
    } catch (error) {
      session = null;
      question.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  function put(command: 'info' | 'contents', revision: string): Promise<{ info: ObjectInfo; bytes: Buffer } | null> {
    // No object and no ref can be named so; the rest of the line would be a question of its own.
    if (/[\n\0]/.test(revision)) return Promise.resolve(null);
    return new Promise((answer, fail) => {
      void ask({ line: `${command} ${revision}\n`, withBytes: command === 'contents', again: false, answer, fail });
    });
  }

  async function close(): Promise<void> {
    const open = await session?.catch(() => null);
    if (open !== null && open !== undefined) stop(open);
  }

  return {
    info: async (revision) => (await put('info', revision))?.info ?? null,
    contents: async (revision) => (await put('contents', revision))?.bytes ?? null,
    close,
  };
}
