import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import {
  hasMarker,
  isAlive,
  listProcesses,
  ownerAlive,
  ownerState,
  ownerId,
  ownLine,
  parseOwner,
  readProcess,
  signalProcess,
  ticksNow,
  worksBelow,
} from '../../src/core/platform/processes.ts';
import { until } from '../support/until.ts';

let children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
});

function start(command: string, args: string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}): number {
  const child = spawn(command, args, { stdio: 'ignore', ...options });
  children.push(child);
  return child.pid ?? 0;
}

it('names this process forever', () => {
  const self = readProcess(process.pid);
  expect(self).toMatchObject({ pid: process.pid, ppid: process.ppid });
  expect(Number(self?.start)).toBeLessThanOrEqual(ticksNow());
  expect(isAlive({ pid: process.pid, start: self?.start ?? '' })).toBe(true);
  expect(isAlive({ pid: process.pid, start: '1' })).toBe(false);
});

it('knows whether the owner of a lease lives', () => {
  const owner = ownerId('here');
  const [host, boot, pid, begin] = owner.split('|');
  expect(parseOwner(owner)).toEqual({ host, boot, pid: Number(pid), start: begin });
  expect(ownerAlive(owner, 'here')).toBe(true);
  expect(ownerAlive(`here|${boot ?? ''}|${pid ?? ''}|1`, 'here')).toBe(false);
  const kernel = boot?.split('.')[0] ?? '';
  expect(ownerState(`here|${kernel}.1|${pid ?? ''}|${begin ?? ''}`, 'here')).toBe('unseen');
  expect(ownerAlive(`here|another-boot|${pid ?? ''}|${begin ?? ''}`, 'here')).toBe(false);
  expect(ownerAlive('there|b|1|1', 'here')).toBe(true);
  expect(parseOwner('nobody')).toBeNull();
  expect(ownerAlive('nobody', 'here')).toBe(false);
});

it('counts a zombie as dead', async () => {
  // The shell becomes a sleep, which never waits for the child the shell had; the child ends only after that.
  const child = `sh -c 'until grep -q sleep /proc/$PPID/comm; do :; done'`;
  const parent = start('sh', ['-c', `${child} & exec sleep 100`]);
  const zombie = (): number =>
    Number(readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').trim().split(' ')[0]);
  await until('a zombie', () => zombie() > 0 && / Z /.test(readFileSync(`/proc/${zombie()}/stat`, 'latin1')));
  expect(readProcess(zombie())).toBeNull();
  expect(listProcesses().map((info) => info.pid)).not.toContain(zombie());
  expect(listProcesses().map((info) => info.pid)).toContain(parent);
});

it('finds marks and working directories, exactly', async () => {
  const folder = realpathSync(tmpdir());
  const pid = start('sleep', ['100'], { env: { ...process.env, ORCH_RUN: 'run-1' }, cwd: folder });
  await until('the program to run', () => readProcess(pid)?.name === 'sleep');
  expect(hasMarker(pid, 'ORCH_RUN=run-1')).toBe(true);
  expect(hasMarker(pid, 'ORCH_RUN=run-')).toBe(false);
  expect(worksBelow(pid, folder)).toBe(true);
  expect(worksBelow(pid, path.dirname(folder) === '/' ? folder.slice(0, -1) : `${folder}x`)).toBe(false);
});

it('signals only the process it means', async () => {
  const pid = start('sleep', ['100']);
  const info = readProcess(pid);
  signalProcess({ pid, start: '1' }, 'SIGKILL');
  expect(readProcess(pid)).not.toBeNull();
  signalProcess({ pid, start: info?.start ?? '' }, 'SIGKILL');
  await until('its end', () => readProcess(pid) === null);
});

it('has this process and its parent in its own line', () => {
  const line = ownLine(listProcesses());
  expect(line.has(process.pid)).toBe(true);
  expect(line.has(process.ppid)).toBe(true);
});
