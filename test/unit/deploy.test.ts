import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const deploy = path.resolve(import.meta.dirname, '../../deploy');
const units = readdirSync(path.join(deploy, 'systemd'));
const services = units.filter((unit) => unit.endsWith('.service'));
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
if (!hasSystemd) process.stderr.write('skipped: systemd-analyze is not here, the units are only read\n');

/** Every `Name=value` of a unit; a name may come more than once. */
function settings(unit: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of readFileSync(path.join(deploy, 'systemd', unit), 'utf8').split('\n')) {
    const match = /^([A-Za-z]+)=(.*)$/.exec(line);
    if (match !== null) found.set(match[1] ?? '', [...(found.get(match[1] ?? '') ?? []), match[2] ?? '']);
  }
  return found;
}

describe.skipIf(!hasSystemd)('systemd-analyze', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'orch-units-'));
    const program = path.join(folder, 'orch');
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o755);
    for (const unit of units) {
      const text = readFileSync(path.join(deploy, 'systemd', unit), 'utf8');
      writeFileSync(path.join(folder, unit), text.replace('/usr/local/bin/orch', program));
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const verify = (...names: string[]) =>
    spawnSync('systemd-analyze', ['verify', '--man=no', ...names.map((name) => path.join(folder, name))], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_LOG_LEVEL: 'warning' },
    });

  it('finds nothing to say about the units', () => {
    const answer = verify(...units);
    expect(answer.stderr).toBe('');
    expect(answer.status).toBe(0);
  });

  it('would find a mistake', () => {
    writeFileSync(path.join(folder, 'wrong.service'), '[Service]\nExecStart=/no/such/program\nKilMode=process\n');
    expect(verify('wrong.service').stderr).toMatch(/KilMode/);
  });

  it('rates the poller, which runs no foreign code, as hardly exposed', () => {
    const answer = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--threshold=30', path.join(folder, 'orch-poller.service')],
      {
        encoding: 'utf8',
      },
    );
    expect(answer.status).toBe(0);
  });
});

describe('the units', () => {
  it.each(services)('%s starts the installed program as the user orch, with private state', (unit) => {
    const found = settings(unit);
    expect(found.get('ExecStart')?.[0]).toMatch(/^\/usr\/local\/bin\/orch (serve-poller|run-worker|recover)$/);
    expect(found.get('User')).toEqual(['orch']);
    expect(found.get('StateDirectory')).toEqual(['orch']);
    expect(found.get('UMask')).toEqual(['0077']);
    expect(found.has('MemoryDenyWriteExecute')).toBe(false);
  });

  it.each(services)('%s reads its secrets from credentials, not from the unit', (unit) => {
    const text = readFileSync(path.join(deploy, 'systemd', unit), 'utf8');
    expect(settings(unit).get('LoadCredential')).toContain('gitea-token:/etc/orch/credentials/gitea-token');
    expect(text).not.toMatch(/TOKEN=|KEY=/);
  });

  it.each(['orch-poller.service', 'orch-worker.service'])(
    '%s stays down after exit 2 and 6, and is given time to start and to drain',
    (unit) => {
      expect(settings(unit).get('RestartPreventExitStatus')).toEqual(['2 6']);
      expect(settings(unit).get('TimeoutStopSec')).toEqual(['6min']);
      expect(settings(unit).get('TimeoutStartSec')).toEqual(['10min']);
    },
  );

  it('the worker leaves agents alive and lets bubblewrap work', () => {
    const found = settings('orch-worker.service');
    expect(found.get('KillMode')).toEqual(['process']);
    for (const breaks of [
      'ProtectKernelTunables',
      'ProtectKernelLogs',
      'ProtectProc',
      'RestrictNamespaces',
      'SystemCallFilter',
      'PrivateTmp',
    ]) {
      expect(found.has(breaks), breaks).toBe(false);
    }
  });
});

describe('the cron table', () => {
  const lines = readFileSync(path.join(deploy, 'cron', 'orch.crontab'), 'utf8').split('\n');
  const jobs = lines.filter((line) => /^[*0-9]/.test(line));

  it('runs the one-shot form of everything the services run', () => {
    const commands = jobs.map(
      (line) => /^(?:\S+ ){5}flock -n -o "\$HOME\/[a-z]+\.lock" orch ([a-z- ]+) /.exec(line)?.[1],
    );
    expect(commands).toEqual(['serve-poller --once', 'run-worker --until-empty', 'recover']);
  });

  it('holds only comments, variables and jobs, and no secret', () => {
    const rest = lines.filter((line) => line !== '' && !line.startsWith('#') && !jobs.includes(line));
    expect(rest.every((line) => /^[A-Z_]+=/.test(line))).toBe(true);
    expect(rest.filter((line) => /TOKEN=/.test(line))).toEqual([]);
  });
});
