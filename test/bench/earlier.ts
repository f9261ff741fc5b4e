import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { errorText } from '../../src/core/model/index.ts';
import { packageRoot } from '../../src/core/platform/files.ts';
import { benchCache } from './peers.ts';

/** The last commit before work on cost began: what "today" meant in the aims of these sections. */
export const earlierCommit = '8313840';

const installMs = 10 * 60_000;

/**
 * The program as it was at `earlierCommit`, built in the benchmark's cache.
 * @returns its folder, or null when this is no git checkout that has the commit, or it cannot be installed
 */
export async function earlierProgram(say: (line: string) => void): Promise<string | null> {
  const folder = path.join(benchCache(), `orch-${earlierCommit}-node${process.versions.modules}`);
  if (existsSync(folder)) return folder;
  const building = `${folder}.${process.pid}`;
  const run = promisify(execFile);
  say(`building orch ${earlierCommit} in ${folder}, once`);
  try {
    mkdirSync(building, { recursive: true });
    const archive = path.join(building, 'source.tar');
    await run('git', ['-C', packageRoot(), 'archive', `--output=${archive}`, earlierCommit]);
    await run('tar', ['-xf', archive, '-C', building]);
    const options = { cwd: building, timeout: installMs, maxBuffer: 64 * 1024 * 1024 };
    await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], options);
    await run('npm', ['run', 'build'], options);
    renameSync(building, folder);
    return folder;
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    say(`orch ${earlierCommit} could not be built and is not measured: ${errorText(error).split('\n')[0]}`);
    return existsSync(folder) ? folder : null;
  }
}
