import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serviceManager } from '../../src/core/platform/sd-notify.ts';
import { until } from '../support/until.ts';

// Node has no datagram sockets of the AF_UNIX kind; perl, which Debian always has, listens in its place.
const listener = `use Socket; $| = 1;
socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die;
while (defined recv($s, my $m, 4096, 0)) { $m =~ s/\\n/;/g; print "$m\\n" unless $m =~ /^BARRIER/; }`;
const tools = [
  ['systemd-notify', '--version'],
  ['perl', '-v'],
] as const;
const missing = tools.filter(([tool, flag]) => spawnSync(tool, [flag]).status !== 0).map(([tool]) => tool);
if (missing.length > 0) process.stderr.write(`skipped: the notification socket: ${missing.join(', ')} not here\n`);

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-notify-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(missing.length > 0)('a service manager that listens', () => {
  it('hears ready, status, signs of life and stopping, in order', async () => {
    const socket = path.join(folder, 'notify');
    const server = spawn('perl', ['-e', listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    let heard = '';
    server.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString('utf8')));
    try {
      await until('the socket', () => existsSync(socket));
      const manager = serviceManager({ PATH: process.env['PATH'], NOTIFY_SOCKET: socket });
      await manager.ready('looking at 2 projects');
      await manager.status('evil\nREADY=0');
      await manager.alive();
      await manager.stopping('draining');
      await until('the last message', () => heard.includes('draining'));
    } finally {
      server.kill('SIGKILL');
    }
    const messages = heard.split('\n').filter((line) => line !== '');
    expect(
      messages.map((line) =>
        line
          .split(';')
          .filter((part) => !part.startsWith('MAINPID=') && part !== '')
          .sort(),
      ),
    ).toEqual([
      ['READY=1', 'STATUS=looking at 2 projects'],
      ['STATUS=evil READY=0'],
      ['WATCHDOG=1'],
      ['STATUS=draining', 'STOPPING=1'],
    ]);
  });
});

describe('the environment', () => {
  it('loses the socket, so that no child can speak for the service', () => {
    const environment: NodeJS.ProcessEnv = {
      PATH: '/bin',
      NOTIFY_SOCKET: '/run/x',
      WATCHDOG_USEC: '90000000',
      WATCHDOG_PID: '1',
    };
    serviceManager(environment);
    expect(environment).toEqual({ PATH: '/bin' });
  });
});

describe('without a service manager', () => {
  it('starts no helper; with one that fails, goes on', async () => {
    const trace = path.join(folder, 'called');
    writeFileSync(path.join(folder, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${trace}\nexit 1\n`);
    chmodSync(path.join(folder, 'systemd-notify'), 0o755);
    const PATH = `${folder}:${process.env['PATH'] ?? ''}`;
    await serviceManager({ PATH }).ready('up');
    expect(existsSync(trace)).toBe(false);
    await serviceManager({ PATH, NOTIFY_SOCKET: '/run/x' }).ready('up');
    expect(existsSync(trace)).toBe(true);
  });
});
