import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { errorText } from '../../src/core/model/index.ts';

interface Peer {
  name: string;
  version: string;
  entry: string;
  /** What else it needs. */
  needs: Record<string, string>;
}

// They are no development dependencies: liteque runs with no better-sqlite3 from 11.10 on ("Transaction function cannot
// return a promise"), and orch runs with 12.11.1. plainjob is handed orch's driver.
const known: Peer[] = [
  { name: 'plainjob', version: '0.0.14', entry: 'dist/plainjob.js', needs: {} },
  { name: 'liteque', version: '0.8.0', entry: 'dist/index.js', needs: { 'better-sqlite3': '11.7.2' } },
];

/** Building a driver takes one to three minutes. */
const installMs = 10 * 60_000;

/**
 * The other queues, in a folder of this command's own under the user's cache; installed with npm when it is run for the
 * first time. One that cannot be installed is left out, and the report says so.
 */
export async function findPeers(
  say: (line: string) => void,
): Promise<{ plainjob: string | null; liteque: string | null }> {
  const found = new Map<string, string | null>();
  for (const peer of known) found.set(peer.name, await find(peer, say));
  return { plainjob: found.get('plainjob') ?? null, liteque: found.get('liteque') ?? null };
}

/** What is installed once for the benchmarks. */
export function benchCache(): string {
  return path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'orch', 'bench');
}

async function find(peer: Peer, say: (line: string) => void): Promise<string | null> {
  const folder = path.join(benchCache(), `${peer.name}-${peer.version}-node${process.versions.modules}`);
  const entry = path.join(folder, 'node_modules', peer.name, peer.entry);
  if (existsSync(entry)) return entry;
  const building = `${folder}.${process.pid}`;
  say(`installing ${peer.name} ${peer.version} into ${folder}, once`);
  try {
    mkdirSync(building, { recursive: true });
    const dependencies = { [peer.name]: peer.version, ...peer.needs };
    const manifest = { private: true, dependencies, allowScripts: { 'better-sqlite3': true } };
    writeFileSync(path.join(building, 'package.json'), JSON.stringify(manifest));
    const args = ['install', '--no-audit', '--no-fund', '--loglevel=error'];
    await promisify(execFile)('npm', args, { cwd: building, timeout: installMs });
    renameSync(building, folder);
    return entry;
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    say(`${peer.name} ${peer.version} could not be installed and is not measured: ${errorText(error).split('\n')[0]}`);
    return existsSync(entry) ? entry : null;
  }
}

/** Name and version for the report. */
export function peerTitle(name: 'plainjob' | 'liteque'): string {
  return `${name} ${known.find((peer) => peer.name === name)?.version ?? ''}`;
}
