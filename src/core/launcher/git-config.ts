import path from 'node:path';
import type { GitIdentity } from '../model/index.ts';

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

/** The file's text. @param own settings of the configuration, after orch's: of one that is there twice, git takes the later */
export function gitConfigText(identity: GitIdentity, own: Record<string, string>): string {
  const person: [string, string][] = [
    ['user.name', identity.name],
    ['user.email', identity.email],
  ];
  return [...person, ...standard, ...Object.entries(own)].map(([key, value]) => lines(key, value)).join('');
}

/** One setting; a subsection may hold dots (`url.https://a.b/.insteadOf`). */
function lines(key: string, value: string): string {
  const [section, name] = [key.slice(0, key.indexOf('.')), key.slice(key.lastIndexOf('.') + 1)];
  const within = key.slice(section.length + 1, -name.length - 1);
  return `[${section}${within === '' ? '' : ` "${escaped(within)}"`}]\n\t${name} = "${escaped(value)}"\n`;
}

function escaped(text: string): string {
  return text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n');
}
