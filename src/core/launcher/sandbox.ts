import { existsSync, statSync } from 'node:fs';
import { runCommand } from '../platform/command.ts';
import { realPath } from '../platform/processes.ts';

/** What an agent sees: everything read-only, less what is hidden, plus these. All paths absolute. */
export interface SandboxView {
  workspace: string;
  /** Folders and files covered by nothing at all. */
  hide: string[];
  readPaths: string[];
  writePaths: string[];
  /** Folders and files that stand at the place of others. */
  laid?: Laid[];
}

/** A folder or file that an agent sees at another path than its own. */
export interface Laid {
  source: string;
  target: string;
  write: boolean;
}

/** The system part: read-only root, fresh /dev, /proc and /tmp, its own process namespace that dies with its parent. */
const systemArguments = [
  ...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp'],
  ...['--unshare-pid', '--unshare-ipc', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
];

/**
 * Ways out that a read-only mount leaves open: access to these sockets lets a process escape the sandbox.
 * And the credentials of every service of this user, not of the own one alone.
 */
export const waysOut = [
  '/run/user',
  '/run/credentials',
  '/run/docker.sock',
  '/run/podman',
  '/run/containerd',
  '/run/systemd/private',
];

/** bubblewrap answers in milliseconds; a loaded machine gets this long. */
const probeMs = 5_000;

type Mount = { target: string; args: string[] };

function hidden(target: string): Mount {
  const folder = statSync(target).isDirectory();
  return { target, args: folder ? ['--tmpfs', target] : ['--ro-bind', '/dev/null', target] };
}

/**
 * The command prefix that puts an agent into bubblewrap. Mounts are laid from the outside in: the workspace may lie
 * below the hidden state folder, and something hidden may lie below a folder that is shown. Where both name the same
 * path, showing wins, because somebody asked for it. Paths that do not exist are left out: there is nothing to hide, and
 * a mount point cannot be made on a read-only root. Standard input and output stay the inherited files.
 */
export function sandboxPrefix(view: SandboxView): string[] {
  const existing = (paths: string[]): string[] => [...new Set(paths.map(realPath))].filter((item) => existsSync(item));
  const mounts = [
    ...existing(view.hide).map(hidden),
    ...existing(view.readPaths).map((target) => ({ target, args: ['--ro-bind', target, target] })),
    ...existing([...view.writePaths, view.workspace]).map((target) => ({ target, args: ['--bind', target, target] })),
    ...(view.laid ?? []).map(({ source, target, write }) => ({
      target: realPath(target),
      args: [write ? '--bind' : '--ro-bind', realPath(source), realPath(target)],
    })),
  ];
  const depth = (mount: Mount): number => mount.target.split('/').length;
  return [
    'bwrap',
    ...systemArguments,
    ...mounts.toSorted((a, b) => depth(a) - depth(b)).flatMap((mount) => mount.args),
    '--chdir',
    realPath(view.workspace),
    '--',
  ];
}

/** Whether bubblewrap works here (installed, and user namespaces allowed); null when it does, else why not. */
export async function probeSandbox(env: NodeJS.ProcessEnv): Promise<string | null> {
  const end = await runCommand({
    file: 'bwrap',
    args: [...systemArguments, '--', 'true'],
    env: { PATH: env['PATH'] ?? '/usr/bin:/bin' },
    timeoutMs: probeMs,
    maxBytes: 64 * 1024,
    encoding: 'utf8',
  });
  if (end.status === 0) return null;
  if (end.notStarted?.includes('ENOENT') === true) return 'bwrap is not installed';
  if (end.timedOut) return `bwrap did not answer within ${probeMs / 1000} s`;
  return (
    end.stderr.trim() || end.notStarted || `bwrap ended with ${end.signal ?? `exit status ${end.status ?? 'unknown'}`}`
  );
}
