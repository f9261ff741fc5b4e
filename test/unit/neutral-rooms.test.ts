import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/core/platform/files.ts';

/** Rooms that know trackers, forges and chats through ports; names and answers of products stay in the adapters. */
const rooms = ['model', 'pipeline', 'queue', 'engine', 'worker'].map((room) => `src/core/${room}`);

function filesOf(folder: string): string[] {
  return readdirSync(path.join(packageRoot(), folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`);
}

const files = [...rooms, 'src/pollers'].flatMap(filesOf).map((name) => ({
  name,
  lines: readFileSync(path.join(packageRoot(), name), 'utf8').split('\n'),
}));

function linesWith(pattern: RegExp): string[] {
  return files.flatMap(({ name, lines }) =>
    lines.filter((line) => pattern.test(line)).map((line) => `${name}: ${line.trim()}`),
  );
}

/** Lines that may name a product: codes that are printed and stored, and texts for people. */
const allowed = [
  /^src\/core\/model\/error-codes\.ts: (plane|gitea|telegram)_[a-z_]+: \w+,$/,
  // The repository's name as people see it, in a hint of the configuration.
  /^src\/core\/model\/ids\.ts: hint: 'Write it as owner\/name, the way Gitea shows it\.',$/,
  // A sentence of the journal of decisions, which is kept as it is.
  /^src\/core\/pipeline\/decide\/effect\.ts: return commit\(.*`a Telegram message was refused: /,
];

describe('the rooms between the ports', () => {
  it('are all looked at', () => {
    expect(files.length).toBeGreaterThan(80);
    for (const room of [...rooms, 'src/pollers'])
      expect(files.some(({ name }) => name.startsWith(`${room}/`))).toBe(true);
  });

  it('name no product', () => {
    const named = linesWith(/plane|gitea|telegram/i);
    expect(named.filter((line) => !allowed.some((pattern) => pattern.test(line)))).toEqual([]);
    for (const pattern of allowed) expect(named.some((line) => pattern.test(line))).toBe(true);
  });

  it('compare no HTTP status', () => {
    expect(linesWith(/\bHTTP\b|\bstatus(Code)?\s*(===|!==|<=?|>=?)\s*[1-5]\d\d\b|\b[1-5]\d\d\s*(===|!==)/)).toEqual([]);
  });

  it('read no address', () => {
    expect(linesWith(/\/(issues|pulls|src\/branch)\/|https?:\/\//)).toEqual([]);
  });
});
