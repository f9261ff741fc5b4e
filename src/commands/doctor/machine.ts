import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../../core/config/config.ts';
import { databaseOf } from '../../core/config/database.ts';
import { secretForms, type SecretName } from '../../core/config/secrets.ts';
import { packageRoot } from '../../core/platform/files.ts';
import { bad, check, good, together, warning, type Finding, type Subject } from './finding.ts';

/** git 2.38 has `merge-tree --write-tree` (spec 5). */
const oldestGit: Version = [2, 38];
/** Below this much free space a few workspaces fill the disk, bytes. */
const littleSpace = 1024 ** 3;

type Version = [major: number, minor: number];

function versionOf(text: string): Version {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major), Number(minor)];
}

function isOlder(found: Version, wanted: Version): boolean {
  return found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1]);
}

/** What needs no configuration: the runtime and git. */
export function programs(): Promise<Finding[]> {
  return together([
    check('node', () => Promise.resolve(node())),
    check('git', async () => {
      const { runGit } = await import('../../core/git/run.ts');
      const { stdout } = await runGit({ args: ['--version'], timeoutMs: 10_000 });
      const version = stdout.replace(/^git version /, '').trim();
      if (!isOlder(versionOf(version), oldestGit)) return good('git', version);
      return bad('git', `${version} is too old`, `Install git ${oldestGit.join('.')} or newer.`);
    }),
  ]);
}

function node(): Finding {
  const file = readFileSync(path.join(packageRoot(), 'package.json'), 'utf8');
  const wanted = (JSON.parse(file) as { engines: { node: string } }).engines.node;
  if (!isOlder(versionOf(process.version), versionOf(wanted))) return good('node', process.version);
  return bad('node', `${process.version} is too old`, `Install Node.js ${wanted}.`);
}

/** Folders, database and tokens. */
export function state(subject: Subject): Promise<Finding[]> {
  return together([
    check('state folder', () => Promise.resolve(folder(subject.config.stateDir))),
    check('database', () => database(subject.config)),
    check('tokens', () => Promise.resolve(tokens(subject))),
  ]);
}

/** The nearest folder that exists, from `folder` upward: what decides whether a missing one can be made. */
function nearest(folder: string): string {
  return existsSync(folder) || path.dirname(folder) === folder ? folder : nearest(path.dirname(folder));
}

function folder(stateDir: string): Finding[] {
  const name = 'state folder';
  const existing = nearest(stateDir);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
  } catch {
    return [bad(name, `${stateDir} cannot be written`, `Give this user write access to ${existing}, or set stateDir.`)];
  }
  const { bavail, bsize } = statfsSync(existing);
  const free = `${((bavail * bsize) / 1e9).toFixed(1)} GB free`;
  const mode = statSync(existing).mode & 0o777;
  const findings: Finding[] = [];
  if (existing !== stateDir) findings.push(good(name, `${stateDir} will be made, ${free}`));
  else if ((mode & 0o077) !== 0)
    findings.push(
      warning(name, `${stateDir} is open to other users (mode ${mode.toString(8)})`, `Run: chmod 700 ${stateDir}`),
    );
  else findings.push(good(name, `${stateDir}, ${free}`));
  if (bavail * bsize < littleSpace)
    findings.push(warning('disk', `only ${free} under ${existing}`, 'Free some space: every task has a clone there.'));
  return findings;
}

async function database(config: Config): Promise<Finding> {
  const { inspectDatabase } = await import('../../core/store/open.ts');
  const title = 'database';
  const { name, found } = await inspectDatabase(databaseOf(config));
  if (found === null) return good(title, `${name} will be made by the first service`);
  const { damage, schema, known } = found;
  if (damage !== null && damage.length > 0) return bad(title, `${name} is damaged: ${damage[0] ?? ''}`, found.advice);
  const size = `${(found.size / 1e6).toFixed(1)} MB`;
  const whole = damage === null ? `${size}, too large to be checked here` : size;
  const older = schema < known ? `schema ${schema}, ${known} with the next start` : '';
  return good(title, [name, whole, older].filter((part) => part !== '').join(', '));
}

/** Which secrets are needed is a matter of the configuration; whether they are right is asked of the servers. */
function tokens({ config, secrets }: Subject): Finding[] {
  const wanted: SecretName[] = ['plane', 'gitea'];
  if (config.gitea.reviewer) wanted.push('gitea-reviewer');
  if (config.telegram !== null) wanted.push('telegram');
  const forms = secretForms().filter((form) => wanted.includes(form.name));
  const missing = forms.filter((form) => !secrets.has(form.name));
  const findings = missing.map(({ name, what, variable }) =>
    name === 'telegram'
      ? warning('tokens', `the ${what} is not given: nothing is sent`, `Set ${variable} or ${variable}_FILE.`)
      : bad('tokens', `the ${what} is not given`, `Set ${variable} or ${variable}_FILE.`),
  );
  for (const open of secrets.warnings()) {
    const [text = open, advice = ''] = open.split('; run: ');
    findings.push(warning('tokens', text, `Run: ${advice}`));
  }
  return findings.length > 0 ? findings : [good('tokens', `all ${forms.length} are given`)];
}
