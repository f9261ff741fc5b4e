import path from 'node:path';
import { homeFolder } from '../platform/files.ts';
import type { Config } from './config.ts';

/**
 * Whether a folder holds nothing but what is orch's: neither the home folder nor a folder of the system. A file alone can
 * be covered as well, but a new one put in its place, such as a renewed token, shows again.
 */
function isOwn(folder: string, home: string): boolean {
  const system = ['/usr', '/bin', '/sbin', '/lib', '/dev', '/proc', '/sys'];
  const deep = folder.split('/').length > 2 && !system.some((top) => folder.startsWith(`${top}/`));
  return deep && !`${home}/`.startsWith(`${folder}/`);
}

/** What no agent may see: state, configuration, and the files that hold tokens (spec 12), with their folders. */
export function hiddenPaths(config: Config, env: NodeJS.ProcessEnv): string[] {
  const files = Object.entries(env)
    .filter(([name, value]) => /^ORCH_(?!TLS_CA_).*_FILE$/.test(name) && (value ?? '').trim() !== '')
    .map(([, value]) => path.resolve((value ?? '').trim()));
  const credentials = env['CREDENTIALS_DIRECTORY'];
  return [
    config.stateDir,
    path.dirname(config.dbPath),
    config.reposDir,
    // Of every project: a run is shown its own on top of it.
    config.workspacesDir,
    config.runsDir,
    ...(config.file === null ? [] : [config.file]),
    ...files,
    ...files.map((file) => path.dirname(file)).filter((folder) => isOwn(folder, homeFolder(env))),
    ...(credentials === undefined ? [] : [credentials]),
  ];
}
