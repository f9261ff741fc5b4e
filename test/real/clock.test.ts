import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orchHost, type OrchHost, type OrchProcess } from '../support/crash.ts';
import { realPart } from '../support/real-part.ts';
import { until } from '../support/until.ts';

/** libfaketime moves the wall clock of one process while it runs; a package of the distribution, unpacked, not installed. */
function libfaketime(): { library: string } | { missing: string } {
  const cache = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'orch-real', 'libfaketime');
  const find = (folder: string): string | undefined =>
    existsSync(folder)
      ? readdirSync(folder, { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('libfaketime.so.1'))
          .map((name) => path.join(folder, name))[0]
      : undefined;
  const there = find('/usr/lib/x86_64-linux-gnu/faketime') ?? find('/usr/lib/faketime') ?? find(cache);
  if (there !== undefined) return { library: there };
  try {
    mkdirSync(cache, { recursive: true });
    execFileSync('apt-get', ['download', 'libfaketime'], { cwd: cache, stdio: 'pipe', timeout: 60_000 });
    const file = readdirSync(cache).find((name) => name.endsWith('.deb')) ?? '';
    execFileSync('dpkg', ['-x', file, '.'], { cwd: cache, stdio: 'pipe' });
  } catch (error) {
    return { missing: `libfaketime cannot be had: ${error instanceof Error ? error.message.split('\n')[0] : ''}` };
  }
  const library = find(cache);
  return library === undefined ? { missing: 'the package libfaketime holds no library' } : { library };
}

const found = libfaketime();

realPart('a wall clock that is set while the poller runs', 'missing' in found ? found.missing : null, () => {
  let root: string;
  let world: World;
  let host: OrchHost;
  let poller: OrchProcess;
  const offsetFile = (): string => path.join(root, 'offset');
  const set = (offset: string): void => writeFileSync(offsetFile(), offset);

  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), 'orch-clock-'));
    world = await startWorld({ root, lagMs: 5, workerDelayMs: 5 });
    host = orchHost(world, root);
    set('+0');
    poller = host.start(['serve-poller', '--schedule', '*/2 * * * * *'], {
      LD_PRELOAD: 'library' in found ? found.library : '',
      FAKETIME_TIMESTAMP_FILE: offsetFile(),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_RESET: '1',
    });
  });
  afterAll(async () => {
    poller.kill('SIGKILL');
    await world.close();
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  });

  /** Whether three more looks at Plane come within a few schedules. */
  async function looksOn(): Promise<number> {
    const looks = (): number => world.plane.requests.filter((line) => /work-items|issues/.test(line)).length;
    const before = looks();
    const begun = performance.now();
    await until('three more looks', () => looks() >= before + 3, 20_000);
    return performance.now() - begun;
  }

  it.each([
    ['+0', 0],
    ['-90s', -90_000],
    ['-1h', -3_600_000],
    ['+400d', 400 * 86_400_000],
    ['-400d', -400 * 86_400_000],
  ])('%s: it goes on looking every two seconds', { timeout: 60_000 }, async (offset, offsetMs) => {
    set(offset);
    utimesSync(offsetFile(), new Date(), new Date());
    expect(await looksOn()).toBeLessThan(15_000);
    // The program really lives in that time.
    const db = new Database(host.database, { readonly: true, timeout: 5000 });
    const [lease] = db.prepare(`SELECT expires_at AS at FROM leases WHERE name = 'poller'`).all() as { at: number }[];
    db.close();
    expect(Math.abs((lease?.at ?? 0) - Date.now() - offsetMs)).toBeLessThan(5 * 60_000);
  });

  it('obeys SIGTERM', async () => {
    poller.kill('SIGTERM');
    expect(await poller.ended).toMatchObject({ code: 0, signal: null });
  });
});
