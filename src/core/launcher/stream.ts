import { open } from 'node:fs/promises';

/** A longer line is skipped: nothing that is judged is that long, and it must not fill the memory. */
const maxLine = 8 * 1024 * 1024;
const chunkBytes = 256 * 1024;

/** Where reading a growing file of lines has come to. `offset` is the start of the line that is not complete yet. */
export interface LineCursor {
  offset: number;
  read: number;
  partial: Buffer[];
  partialBytes: number;
}

export function cursorAt(offset: number): LineCursor {
  return { offset, read: offset, partial: [], partialBytes: 0 };
}

/**
 * Hands on every line that is complete since the cursor, and moves it. The last line of a file that will not grow any
 * more is handed on too when `final`. A file that does not exist has no lines.
 */
export async function readLines(
  file: string,
  cursor: LineCursor,
  final: boolean,
  onLine: (line: string) => void,
): Promise<void> {
  const handle = await open(file, 'r').catch(() => null);
  if (handle === null) return;
  try {
    const buffer = Buffer.alloc(chunkBytes);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, cursor.read);
      if (bytesRead === 0) break;
      cursor.read += bytesRead;
      takeLines(buffer.subarray(0, bytesRead), cursor, onLine);
    }
    if (final && cursor.partialBytes > 0) endLine(cursor, onLine);
  } finally {
    await handle.close();
  }
}

function takeLines(chunk: Buffer, cursor: LineCursor, onLine: (line: string) => void): void {
  let from = 0;
  for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
    keep(chunk.subarray(from, end), cursor);
    endLine(cursor, onLine);
    from = end + 1;
  }
  keep(chunk.subarray(from), cursor);
  cursor.offset = cursor.read - cursor.partialBytes;
}

function keep(bytes: Buffer, cursor: LineCursor): void {
  cursor.partialBytes += bytes.length;
  if (cursor.partialBytes > maxLine) cursor.partial = [];
  else if (bytes.length > 0) cursor.partial.push(Buffer.from(bytes));
}

function endLine(cursor: LineCursor, onLine: (line: string) => void): void {
  if (cursor.partialBytes > 0 && cursor.partialBytes <= maxLine) onLine(Buffer.concat(cursor.partial).toString('utf8'));
  cursor.partial = [];
  cursor.partialBytes = 0;
}

/**
 * What may stand around an event on its line: a byte-order mark, blanks, and sequences for a terminal such as a window title
 * (OSC, ended by BEL or ESC \\) or a colour (CSI).
 */
const around = /(?:[\s\ufeff\0]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b\[[0-9;?]*[A-Za-z])+/u;
const before = new RegExp(`^${around.source}`, 'u');
const after = new RegExp(`${around.source}$`, 'u');

/** One event of a stream; null for a line that is none (agents and their tools print anything). */
export function parseEvent(line: string): Record<string, unknown> | null {
  const text = line.startsWith('{') ? line : line.replace(before, '');
  if (!text.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(text.endsWith('}') ? text : text.replace(after, ''));
    return typeof value === 'object' && value !== null && 'type' in value ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Whether an event ends the main work: results of background turns come as well, marked by their origin. */
export function isFinalResult(event: Record<string, unknown>): boolean {
  const origin = event['origin'];
  const auxiliary =
    typeof origin === 'object' &&
    origin !== null &&
    (origin as Record<string, unknown>)['kind'] === 'task-notification';
  return event['type'] === 'result' && !auxiliary;
}

/** The last `limit` bytes of a file as text; empty when there is none. */
export async function readTail(file: string, limit: number): Promise<string> {
  const handle = await open(file, 'r').catch(() => null);
  if (handle === null) return '';
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(Math.min(limit, size));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, size - buffer.length);
    // A cut in the middle of a character leaves continuation bytes in front; they are dropped.
    let start = 0;
    while (start < Math.min(bytesRead, 3) && size > limit && ((buffer[start] ?? 0) & 0xc0) === 0x80) start += 1;
    return buffer.toString('utf8', start, bytesRead);
  } finally {
    await handle.close();
  }
}
