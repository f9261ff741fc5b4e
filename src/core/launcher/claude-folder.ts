import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { homeFolder, privateFolder, removeTree } from '../platform/files.ts';
import { realPath } from '../platform/processes.ts';
import { isObject } from '../platform/objects.ts';
import type { Laid } from './sandbox.ts';

/** What its owner gives every session: settings (with hooks), memory, rules, agents and so on. Shown, never written. */
const given = [
  ...['settings.json', 'CLAUDE.md'],
  ...['agents', 'commands', 'hooks', 'output-styles', 'plugins', 'rules', 'skills'],
  // Where older installations keep the program itself.
  'local',
];

/** What a run needs of `.claude.json`: who is logged in, and that nothing is to be asked. Servers and projects are orders. */
const neededKeys = [
  ...['oauthAccount', 'primaryApiKey', 'customApiKeyResponses', 'userID', 'anonymousId'],
  ...['hasCompletedOnboarding', 'lastOnboardingVersion', 'installMethod', 'theme'],
];

/** Claude removes its own sessions after 30 days (`cleanupPeriodDays`); so are those that orch keeps for it. */
const maxSessionAgeMs = 30 * 86_400_000;
/** Folder next to the run folders, one folder for each workspace in it. */
const sessionsName = '.sessions';

/**
 * Claude's configuration folder as one run sees it: a folder of its own, with the owner's files in it read-only, the
 * login, and the sessions of its own workspace. Whatever else an agent writes there ends with the run, so it gives no
 * orders to the next agent, nor to a person's own session. The login is shared: every run and person that uses it may renew it.
 * @param own a folder of this run
 * @param runsDir where the sessions are kept between the runs of a workspace
 */
export function claudeFolder(env: Record<string, string>, own: string, runsDir: string, workspace: string): Laid[] {
  const configured = env['CLAUDE_CONFIG_DIR'];
  const home = homeFolder(env);
  const folder = realPath(configured ?? path.join(home, '.claude'));
  const state = path.join(configured === undefined ? home : folder, '.claude.json');
  const view = privateFolder(path.join(own, 'claude'));
  const stateCopy = path.join(own, 'claude.json');
  privateFolder(folder);
  writeFileSync(stateCopy, `${JSON.stringify(neededState(state))}\n`, { mode: 0o600 });
  if (!existsSync(state)) writeFileSync(state, '{}\n', { mode: 0o600 });
  const shown = given.filter((name) => existsSync(path.join(folder, name)));
  const login = path.join(folder, '.credentials.json');
  return [
    { source: view, target: folder, write: true },
    { source: sessionsOf(runsDir, workspace), target: path.join(folder, 'projects'), write: true },
    { source: stateCopy, target: state, write: true },
    ...shown.map((name) => ({ source: path.join(folder, name), target: path.join(folder, name), write: false })),
    ...(existsSync(login) ? [{ source: login, target: login, write: true }] : []),
  ];
}

function neededState(file: string): Record<string, unknown> {
  try {
    const state: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isObject(state)
      ? Object.fromEntries(neededKeys.flatMap((key) => (key in state ? [[key, state[key]]] : [])))
      : {};
  } catch {
    return {};
  }
}

/** The sessions of one workspace, kept for a resume; those that are too old are removed on the way. */
function sessionsOf(runsDir: string, workspace: string): string {
  const all = privateFolder(path.join(runsDir, sessionsName));
  const name = createHash('sha256').update(realPath(workspace)).digest('hex').slice(0, 32);
  for (const other of readdirSync(all)) {
    const age = Date.now() - (statSync(path.join(all, other), { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (other !== name && age > maxSessionAgeMs) removeTree(path.join(all, other));
  }
  return privateFolder(path.join(all, name));
}
