import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, type LoadedConfig, type LoadRequest } from '../../src/core/config/load.ts';

/** A configuration that was found right is not checked again: whether it was is seen by a value that only the note of it has. */
let folder: string;
let file: string;
let state: string;
let note: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-checked-'));
  file = path.join(folder, 'orchestrator.config.json');
  state = path.join(folder, 'state');
  note = path.join(state, 'config-checked.json');
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(file, JSON.stringify({ stateDir: 'state', git: { name: 'from the file' } }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const load = (request: Partial<LoadRequest> = {}): Promise<LoadedConfig> =>
  loadConfig({ env: { HOME: folder }, cwd: folder, build: 'one', ...request });
const nameOf = async (request: Partial<LoadRequest> = {}): Promise<string> =>
  (await load(request)).config.identity.name;

/** Checks once and changes the name in the note, which no check could find. */
async function checked(request: Partial<LoadRequest> = {}): Promise<void> {
  await load(request);
  writeFileSync(note, readFileSync(note, 'utf8').replaceAll('"name":"from the file"', '"name":"from the note"'));
}

describe('a configuration that was checked', () => {
  it('is not checked again; its values have the same origins', async () => {
    const env = { HOME: folder, ORCH_WORKER_DRAIN_SECONDS: '7' };
    const first = await load({ env, flags: { 'worker.maxConcurrency': 3 } });
    const again = await load({ env, flags: { 'worker.maxConcurrency': 3 } });
    expect(again.settings).toEqual(first.settings);
    const keys = ['git.name', 'git.email', 'worker.drainSeconds', 'worker.maxConcurrency'];
    expect(keys.map(again.origin)).toEqual([file, 'default', 'ORCH_WORKER_DRAIN_SECONDS', 'flag']);
    expect(keys.map(again.origin)).toEqual(keys.map(first.origin));
    await checked();
    expect(await nameOf()).toBe('from the note');
  });

  it('is checked by every call without a build', async () => {
    await checked();
    expect(await nameOf({ build: null })).toBe('from the file');
  });

  it.each<[string, () => Partial<LoadRequest>]>([
    ['another build', () => ({ build: 'two' })],
    ['a variable', () => ({ env: { HOME: folder, ORCH_WORKER_DRAIN_SECONDS: '8' } })],
    ['an unknown variable, of which one is warned', () => ({ env: { HOME: folder, ORCH_WROKER: '1' } })],
    ['a flag', () => ({ flags: { 'worker.maxConcurrency': 2 } })],
    [
      'the content of the file, its size and time unchanged',
      () => {
        const { atime, mtime } = statSync(file);
        writeFileSync(file, readFileSync(file, 'utf8').replace('from the file', 'from the FILE'));
        utimesSync(file, atime, mtime);
        return {};
      },
    ],
    [
      'the place of the file',
      () => {
        const other = path.join(folder, 'other.json');
        renameSync(file, other);
        return { file: other };
      },
    ],
  ])('is checked again with %s', async (_name, change) => {
    await checked();
    expect(await nameOf(change())).toMatch(/^from the file$/i);
  });

  it('is checked again when a variable has another value', async () => {
    const env = { HOME: folder, ORCH_WORKER_DRAIN_SECONDS: '7' };
    await checked({ env });
    expect(await nameOf({ env })).toBe('from the note');
    const { config } = await load({ env: { ...env, ORCH_WORKER_DRAIN_SECONDS: '8' } });
    expect([config.identity.name, config.worker.drainMs]).toEqual(['from the file', 8000]);
  });

  it('is kept for four environments, without a token, for this user only', async () => {
    const env = (n: number) => ({
      HOME: folder,
      ORCH_GITEA_TOKEN: 'secret-1',
      ORCH_OLD_THING: 'secret-2',
      ORCH_WORKER_DRAIN_SECONDS: String(n),
    });
    for (let n = 1; n <= 6; n += 1) await load({ env: env(n) });
    const text = readFileSync(note, 'utf8');
    expect(JSON.parse(text)).toHaveLength(4);
    expect(text).not.toMatch(/secret-/);
    expect(statSync(note).mode & 0o777).toBe(0o600);
  });

  it('leaves no state folder behind, and no mistake', async () => {
    rmSync(state, { recursive: true });
    await load();
    expect(existsSync(state)).toBe(false);
    mkdirSync(state);
    writeFileSync(file, JSON.stringify({ stateDir: 'state', git: { nam: 'x' } }));
    await expect(load()).rejects.toThrow('git.nam');
    expect(existsSync(note)).toBe(false);
  });
});

describe('a note that cannot be trusted is not used', () => {
  it.each<[string, () => void]>([
    ['others may write it', () => chmodSync(note, 0o620)],
    ['others may write the folder', () => chmodSync(state, 0o777)],
    [
      'it is a link',
      () => {
        renameSync(note, path.join(folder, 'elsewhere'));
        symlinkSync(path.join(folder, 'elsewhere'), note);
      },
    ],
    ['it is cut off', () => writeFileSync(note, readFileSync(note, 'utf8').slice(0, -20))],
    ['it is garbage', () => writeFileSync(note, '\0\u0001 not json')],
    ['it is a list of something else', () => writeFileSync(note, '[null, 1, {"from": null}, []]')],
    [
      'parts of its values are gone',
      () => {
        const entries = JSON.parse(readFileSync(note, 'utf8')) as { settings: Record<string, unknown> }[];
        for (const entry of entries) delete entry.settings['worker'];
        writeFileSync(note, JSON.stringify(entries));
      },
    ],
  ])('where %s', async (_name, spoil) => {
    await checked();
    spoil();
    expect(await nameOf()).toBe('from the file');
  });

  it.runIf(process.getuid?.() === 0)('where it belongs to another user', async () => {
    await checked();
    chownSync(note, 12_345, 12_345);
    expect(await nameOf()).toBe('from the file');
    await checked();
    chownSync(state, 12_345, 12_345);
    expect(await nameOf()).toBe('from the file');
  });
});
