import path from 'node:path';
import type { GitIdentity } from '../model/index.ts';
import { gitConfigText } from '../platform/git-config.ts';

/**
 * What the agent's git is set to, in place of the service user's own `~/.gitconfig`: what that would do to it (other line
 * ends, a signature, a hook) orch's own git would not do to what is published.
 */
const standard: [string, string][] = [
  ['init.defaultBranch', 'main'],
  ['core.autocrlf', 'false'],
  ['core.excludesFile', '/dev/null'],
  ['core.attributesFile', '/dev/null'],
  ['commit.gpgSign', 'false'],
  ['tag.gpgSign', 'false'],
  ['gc.auto', '0'],
  ['safe.directory', '*'],
];

/** Where a run's git configuration is. @param tmp the run's temporary folder */
export function gitConfigFile(tmp: string): string {
  return path.join(tmp, 'gitconfig');
}

/** The file's text. @param own settings of the configuration, after orch's */
export function agentGitConfig(identity: GitIdentity, own: Record<string, string>): string {
  const person: [string, string][] = [
    ['user.name', identity.name],
    ['user.email', identity.email],
  ];
  return gitConfigText([...person, ...standard, ...Object.entries(own)]);
}
