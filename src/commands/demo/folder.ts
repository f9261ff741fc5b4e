import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { OrchError } from '../../core/model/index.ts';

/** Where the demonstration keeps everything; removed at the end unless the user named it. */
export interface DemoFolder {
  root: string;
  named: boolean;
  /** Removes a folder that nobody asked for; repeatable, and safe while the process ends. */
  remove(): void;
}

/**
 * @param dir `--dir`; undefined: a folder of its own among the temporary ones
 * @throws OrchError `usage` when the named folder holds something: nothing of a user's is mixed with or overwritten
 */
export function demoFolder(dir: string | undefined, cwd: string): DemoFolder {
  if (dir !== undefined) return { root: namedFolder(path.resolve(cwd, dir)), named: true, remove: () => {} };
  const root = mkdtempSync(path.join(tmpdir(), 'orch-demo-'));
  const remove = (): void => {
    process.off('exit', remove);
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  };
  // A second Ctrl-C ends the process on the spot; the folder must not stay then either.
  process.once('exit', remove);
  return { root, named: false, remove };
}

function namedFolder(root: string): string {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    if (readdirSync(root).length === 0) return root;
  } catch (error) {
    throw new OrchError(`the folder ${root} cannot be used`, {
      code: 'demo_folder',
      hint: 'Name a folder that you may write to.',
      cause: error,
    });
  }
  throw new OrchError(`the folder ${root} is not empty`, {
    code: 'demo_folder',
    hint: 'Name a new or an empty folder.',
  });
}
