import { lstatSync, statSync } from 'node:fs';
import path from 'node:path';
import { readSmall, writeFileAtomic } from '../platform/files.ts';
import type { Settings } from './schema.ts';

/**
 * A configuration that was checked and found right is not checked again until something in it changes: the validator takes longer
 * to load than a command to run. What it was checked from is kept with it and compared in full.
 */
export interface Checked {
  settings: Settings;
  /** Which variable or flag gave a key its value, by path. */
  set: [path: string, origin: string][];
  warnings: string[];
}

/** Everything that a check depends on. */
export interface CheckedFrom {
  /** What checks: another build may know other keys. */
  build: string;
  /** Path and text of the file; null when there is none. */
  file: { path: string; text: string } | null;
  /** Values of the command line by key. */
  flags: Record<string, unknown>;
  /** Names of all variables of orch that are set, sorted; an unknown one is warned of. */
  names: string[];
}

interface Entry extends Checked {
  from: CheckedFrom;
  /** The variables that were read, with their values: those of keys, never a token. */
  read: Record<string, string>;
}

const fileName = 'config-checked.json';
/** The shell of a person and the units of the services have environments of their own. */
const maxEntries = 4;
/** Hundreds of projects are far below it, bytes. */
const maxBytes = 8_000_000;

export function namesOf(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith('ORCH_'))
    .sort();
}

/** Whether nobody but this user may write: neither the folder nor a file in it can then be somebody else's. */
function isOwn(at: string, stat: typeof lstatSync): boolean {
  try {
    const { uid, mode } = stat(at) as { uid: number; mode: number };
    return uid === process.getuid?.() && (mode & 0o022) === 0;
  } catch {
    return false;
  }
}

/** What is kept; nothing where others could have written it, or where it is damaged. */
function entriesIn(stateDir: string): Entry[] {
  const file = path.join(stateDir, fileName);
  if (!isOwn(stateDir, statSync as typeof lstatSync) || !isOwn(file, lstatSync)) return [];
  try {
    const found: unknown = JSON.parse(readSmall(file, maxBytes) ?? '[]');
    return Array.isArray(found) ? found.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is Entry {
  const entry = value as Partial<Entry> | null;
  return (
    typeof entry?.from === 'object' &&
    typeof entry.settings === 'object' &&
    typeof entry.read === 'object' &&
    Array.isArray(entry.set) &&
    Array.isArray(entry.warnings)
  );
}

const same = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);

/** @returns null where this was not checked, or the note of it cannot be trusted or read */
export function recallChecked(stateDir: string, from: CheckedFrom, env: NodeJS.ProcessEnv): Checked | null {
  const found = entriesIn(stateDir).find(
    (entry) => same(entry.from, from) && Object.entries(entry.read).every(([name, value]) => env[name] === value),
  );
  return found ?? null;
}

/** Keeps what was checked, in a state folder that is there; a folder that cannot be written to is no trouble. */
export function rememberChecked(
  stateDir: string,
  from: CheckedFrom,
  checked: Checked,
  env: NodeJS.ProcessEnv,
  variables: string[],
): void {
  if (!isOwn(stateDir, statSync as typeof lstatSync)) return;
  const read = Object.fromEntries(variables.map((name) => [name, env[name] ?? '']));
  const older = entriesIn(stateDir).filter((entry) => !same(entry.from, from) || !same(entry.read, read));
  const entries: Entry[] = [{ from, read, ...checked }, ...older].slice(0, maxEntries);
  try {
    writeFileAtomic(path.join(stateDir, fileName), JSON.stringify(entries));
  } catch {
    // The next command checks again.
  }
}
