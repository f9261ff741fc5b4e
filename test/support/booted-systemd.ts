import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/core/platform/files.ts';
import { until } from './until.ts';

/** What a bare systemd needs to be called up; everything else of this machine stays out. */
const ownUnits = [
  ...['basic.target', 'sysinit.target', 'sockets.target', 'timers.target', 'paths.target', 'slices.target'],
  ...['shutdown.target', 'multi-user.target', 'network-online.target', 'time-sync.target', 'network.target'],
  ...['systemd-journald.service', 'systemd-journald.socket', 'systemd-journald-dev-log.socket'],
];

interface Answer {
  code: number;
  out: string;
}

/** A systemd that runs, seen from outside. Nothing here blocks: the servers it talks to may live in this process. */
export interface BootedSystemd {
  /** Runs a program in it, as root. */
  run(...argv: string[]): Promise<Answer>;
  /** Runs a program in it, as the user `orch`, with the variables of `docs/operations.md`. */
  asOrch(...argv: string[]): Promise<Answer>;
  systemctl(...args: string[]): Promise<Answer>;
  /** A property of a unit. */
  show(unit: string, property: string): Promise<string>;
  end(): Promise<void>;
}

/** Where a cgroup can be made for it: below this process's own, in the second version's tree. */
function cgroupParent(): string | null {
  const mount = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, , kind]) => kind === 'cgroup2')?.[1];
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  return mount === undefined || own === undefined ? null : path.join(mount, own);
}

/** Why no systemd can be booted here; null when one can. */
export function noSystemd(): string | null {
  if (process.getuid?.() !== 0) return 'only root can boot a systemd in namespaces';
  if (!existsSync('/lib/systemd/systemd')) return 'systemd is not installed';
  for (const tool of ['unshare', 'nsenter', 'setpriv', 'runuser', 'pivot_root']) {
    if (spawnSync(tool, ['--version']).error !== undefined) return `${tool} is not installed`;
  }
  const parent = cgroupParent();
  if (parent === null) return 'no cgroup tree of the second version is mounted';
  const probe = path.join(parent, `orch-probe-${process.pid}`);
  try {
    mkdirSync(probe);
    rmdirSync(probe);
  } catch {
    return `no cgroup can be made below ${parent}`;
  }
  const flags = ['--fork', '--pid', '--mount', '--cgroup', '--ipc', '--uts'];
  if (spawnSync('unshare', [...flags, 'true']).status !== 0) return 'no namespaces can be made';
  return null;
}

function layUnits(folder: string): string {
  const units = path.join(folder, 'units');
  mkdirSync(units);
  for (const name of ownUnits) {
    const source = path.join('/lib/systemd/system', name);
    if (existsSync(source)) copyFileSync(source, path.join(units, name));
  }
  const shipped = path.join(packageRoot(), 'deploy', 'systemd');
  for (const name of readdirSync(shipped)) copyFileSync(path.join(shipped, name), path.join(units, name));
  return units;
}

/** A cgroup goes when nothing is left in it, the innermost first. */
function isRemoved(folder: string): boolean {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) isRemoved(path.join(folder, entry.name));
    rmdirSync(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
}

/**
 * Boots a systemd with orch's own units installed, not started. The network is this machine's, so the sandbox is reached.
 * @param folder gets `units` and a layer; its `world` is seen inside as `/opt/world`
 */
export async function bootSystemd(folder: string): Promise<BootedSystemd> {
  const units = layUnits(folder);
  mkdirSync(path.join(folder, 'world'), { recursive: true });
  const cgroup = path.join(cgroupParent() ?? '', `orch-test-${process.pid}`);
  mkdirSync(cgroup);
  const script = path.join(import.meta.dirname, 'booted-systemd.sh');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '/bin/sh', script, cgroup, folder, packageRoot(), units], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const init = await initOf(child, () => said);
  const run: BootedSystemd['run'] = (...argv) =>
    answerOf('nsenter', ['-t', String(init), '-m', '-p', '-i', '-u', '-C', '-r', '-w', '--', ...argv]);
  const systemctl: BootedSystemd['systemctl'] = (...args) => run('systemctl', '--no-pager', ...args);
  await until(
    'systemd to be up',
    async () => /running|degraded/.test((await systemctl('is-system-running')).out),
    60_000,
  );
  await systemctl('start', 'systemd-journald.socket', 'systemd-journald.service');
  const as = ['HOME=/var/lib/orch', 'ORCH_CONFIG=/etc/orch/orchestrator.config.json', 'STATE_DIRECTORY=/var/lib/orch'];
  return {
    run,
    asOrch: (...argv) => run('runuser', '-u', 'orch', '--', 'env', ...as, ...argv),
    systemctl,
    show: async (unit, property) => (await systemctl('show', '--value', '-p', property, unit)).out,
    end: async () => {
      writeFileSync(path.join(cgroup, 'cgroup.kill'), '1');
      child.kill('SIGKILL');
      await until('the cgroup to be empty', () => isRemoved(cgroup));
    },
  };
}

function answerOf(program: string, args: string[]): Promise<Answer> {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LANG: 'C.UTF-8' };
  return new Promise((resolve) => {
    execFile(program, args, { env, timeout: 120_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, out: `${stdout}${stderr}`.trim() });
    });
  });
}

/** The pid, seen from here, of the systemd below the process that makes its namespaces. */
async function initOf(child: ChildProcess, said: () => string): Promise<number> {
  let init = 0;
  await until('systemd to be started', () => {
    if (child.exitCode !== null) throw new Error(`systemd could not be booted: ${said()}`);
    const pid = child.pid ?? 0;
    const below = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0] ?? '';
    if (below === '') return false;
    init = Number(below);
    return readFileSync(`/proc/${below}/comm`, 'utf8').trim() === 'systemd';
  });
  return init;
}
