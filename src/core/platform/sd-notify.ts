import { runCommand } from './command.ts';

/** How this process reports to the service manager; every method does nothing where there is none. */
export interface ServiceManager {
  /** Started up: with `Type=notify` the unit counts as active from here on. */
  ready(status: string): Promise<void>;
  /** One line for `systemctl status`. */
  status(text: string): Promise<void>;
  /** A sign of life for `WatchdogSec=`; to be called by a loop that made progress, never by a bare timer. */
  alive(): Promise<void>;
  /** Draining has begun. */
  stopping(status: string): Promise<void>;
}

/** A stuck helper must not stop the service it speaks for. */
const helperTimeoutMs = 5000;

/**
 * Takes the notification socket out of the environment, so that no child can speak in the service's name, and answers
 * the way to use it. Node has no datagram sockets of the AF_UNIX kind, so systemd's own `systemd-notify` sends; its
 * default form waits until the message was read, which is what makes `NotifyAccess=all` attribute it to this unit.
 * A message that cannot be sent is dropped: the service manager notices silence by itself.
 */
export function serviceManager(environment: NodeJS.ProcessEnv): ServiceManager {
  const socket = environment['NOTIFY_SOCKET'];
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  const send = async (...args: string[]): Promise<void> => {
    if (socket === undefined || socket === '') return;
    const env = { PATH: environment['PATH'] ?? '/usr/bin:/bin', NOTIFY_SOCKET: socket };
    const limits = { timeoutMs: helperTimeoutMs, maxBytes: 64 * 1024 };
    await runCommand({ file: 'systemd-notify', args, env, ...limits, encoding: 'utf8' });
  };
  return {
    ready: (status) => send('--ready', `--status=${oneLine(status)}`),
    status: (text) => send(`--status=${oneLine(text)}`),
    alive: () => send('--no-block', 'WATCHDOG=1'),
    stopping: (status) => send('STOPPING=1', `--status=${oneLine(status)}`),
  };
}

/** The protocol is lines of `NAME=value`: a line break in a status would be another message. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, 200);
}
