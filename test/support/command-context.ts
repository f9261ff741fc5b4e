import path from 'node:path';
import type { CommandContext } from '../../src/commands/shared/contract.ts';
import { loadConfig } from '../../src/core/config/load.ts';
import { createSecrets } from '../../src/core/config/secrets.ts';
import { Redactor } from '../../src/core/platform/redact.ts';
import type { Line } from './line.ts';

/** A command's context over the line's configuration, as the program makes it; lines and notes go to `said`. */
export function commandContext(on: Line, said: string[] = []): CommandContext {
  const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...on.world.env };
  const redactor = new Redactor();
  const note = (text: string): void => void said.push(text);
  const output = { asJson: false, verbose: false, line: note, note, warn: note, json: () => {} };
  return {
    output: output as unknown as CommandContext['output'],
    env,
    cwd: on.root,
    redactor,
    secrets: createSecrets(env, redactor),
    signal: new AbortController().signal,
    loadConfig: () => loadConfig({ env, cwd: on.root, file: path.join(on.root, 'orchestrator.config.json') }),
    exitWith: () => {},
    fullProgram: () => Promise.reject(new Error('not needed')),
  };
}
