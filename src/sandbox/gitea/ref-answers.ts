import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Repo } from './state.ts';

/** What git answered over HTTP. */
export interface GitReply {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** The last answer to each question, and the refs that it is about. */
const known = new WeakMap<Repo, Map<string, { refs: string; reply: GitReply }>>();

/** Questions whose answers are kept; a client asks in a handful of ways. */
const maxQuestions = 100;

/**
 * A question whose answer follows from the refs alone, as a text that is equal for equal questions: what a service advertises, and
 * version 2's `ls-refs`. Null for everything else.
 * @param request method, path below the repository with its query, and `Git-Protocol`
 * @param body of a request that has one; null when it is compressed or was not read
 */
export function refQuestion(method: string, place: string, protocol: string, body: Buffer | null): string | null {
  if (method === 'GET' && place.startsWith('info/refs?service=')) return `${place} ${protocol}`;
  const lists =
    method === 'POST' && place === 'git-upload-pack' && body?.subarray(4, 19).toString() === 'command=ls-refs';
  return lists ? `${place} ${protocol} ${body.toString('latin1')}` : null;
}

/** What the answer to a question follows from: all refs of a bare repository and its configuration, as a text that changes with them. */
export function refsOf(repo: Repo, question: string): string {
  const { mtimeMs } = statSync(path.join(repo.dir, 'config'));
  // Version 2 says what the service can do, and lists the refs when it is asked to.
  if (question === 'info/refs?service=git-upload-pack version=2') return String(mtimeMs);
  const read = (name: string): string => {
    try {
      return readFileSync(path.join(repo.dir, name), 'latin1');
    } catch {
      // Packed, moved or removed since it was listed: another text than with it, which is all that counts.
      return '';
    }
  };
  const loose = readdirSync(path.join(repo.dir, 'refs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(repo.dir, path.join(entry.parentPath, entry.name)))
    .sort();
  return [mtimeMs, read('HEAD'), read('packed-refs'), ...loose.map((name) => `${name} ${read(name)}`)].join('\n');
}

/** What git answered to the question when the refs were as they are now, if it was asked. */
export function answered(repo: Repo, question: string, refs: string): GitReply | undefined {
  const kept = known.get(repo)?.get(question);
  return kept?.refs === refs ? kept.reply : undefined;
}

/** Keeps git's answer until the refs change. */
export function keepAnswer(repo: Repo, question: string, refs: string, reply: GitReply): void {
  const kept = known.get(repo) ?? new Map<string, { refs: string; reply: GitReply }>();
  known.set(repo, kept);
  if (kept.size < maxQuestions || kept.has(question)) kept.set(question, { refs, reply });
}
