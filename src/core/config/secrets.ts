import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { OrchError } from '../model/index.ts';
import type { Redactor } from '../platform/redact.ts';

const secretNames = ['plane', 'gitea', 'gitea-reviewer', 'telegram'] as const;
export type SecretName = (typeof secretNames)[number];

/** Variable and systemd credential of every secret; the `_FILE` variant holds the path of a file with it. */
const forms: Record<SecretName, { variable: string; credential: string; what: string }> = {
  plane: { variable: 'ORCH_PLANE_API_TOKEN', credential: 'plane-token', what: 'API token of Plane' },
  gitea: { variable: 'ORCH_GITEA_TOKEN', credential: 'gitea-token', what: 'access token of Gitea' },
  'gitea-reviewer': {
    variable: 'ORCH_GITEA_REVIEWER_TOKEN',
    credential: 'gitea-reviewer-token',
    what: "access token of Gitea for the reviewer's account",
  },
  telegram: { variable: 'ORCH_TELEGRAM_BOT_TOKEN', credential: 'telegram-token', what: 'token of the Telegram bot' },
};

/** Every variable a secret may come by. */
export const secretVariables: string[] = secretNames.flatMap((name) => [
  forms[name].variable,
  `${forms[name].variable}_FILE`,
]);

/** How each secret can be given, for documentation and help. */
export function secretForms(): { name: SecretName; variable: string; credential: string; what: string }[] {
  return secretNames.map((name) => ({ name, ...forms[name] }));
}

interface Source {
  kind: 'variable' | 'file' | 'credential';
  where: string;
  /** Path of the file; null for the variable itself. */
  file: string | null;
}

/** Where a secret would come from, in the order variable, `_FILE`, credential; nothing is read. */
export function secretSource(name: SecretName, env: NodeJS.ProcessEnv): Source | null {
  const { variable, credential } = forms[name];
  if ((env[variable] ?? '').trim() !== '') return { kind: 'variable', where: variable, file: null };
  const file = (env[`${variable}_FILE`] ?? '').trim();
  if (file !== '') return { kind: 'file', where: `${variable}_FILE`, file };
  const folder = env['CREDENTIALS_DIRECTORY'];
  if (folder === undefined || folder === '') return null;
  const inFolder = path.join(folder, credential);
  try {
    statSync(inFolder);
  } catch (error) {
    // A credential that exists but may not be seen is reported when it is read, not taken for absent.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
  }
  return { kind: 'credential', where: inFolder, file: inFolder };
}

/** The tokens of the peers: read when first asked for, known to the redactor before anybody else sees them. */
export interface Secrets {
  /** Whether the secret is given in one of its three forms. */
  has(name: SecretName): boolean;
  /** @throws OrchError `missing_token` (not configured) naming all three forms, or `unreadable_token` */
  read(name: SecretName): string;
  /** Every secret that is given and can be read, for code that has to keep all of them out of a text. */
  all(): string[];
  /** Files with secrets that other users of the machine may read. */
  warnings(): string[];
}

function missing(name: SecretName): OrchError {
  const { variable, credential, what } = forms[name];
  return new OrchError(`the ${what} is not given`, {
    code: 'missing_token',
    hint: `Set ${variable}, or ${variable}_FILE to a file that holds it, or pass the systemd credential ${credential}.`,
  });
}

function readSource(source: Source, name: SecretName, env: NodeJS.ProcessEnv): string {
  if (source.file === null) return (env[source.where] ?? '').trim();
  try {
    return readFileSync(source.file, 'utf8').trim();
  } catch (error) {
    throw new OrchError(`the ${forms[name].what} cannot be read from ${source.file}`, {
      code: 'unreadable_token',
      hint: `Check the path in ${source.where} and that this user may read it.`,
      cause: error,
    });
  }
}

/** A file of a secret that group or others may read; systemd's own credentials are guarded by systemd. */
function tooOpen(source: Source): string | null {
  if (source.kind !== 'file' || source.file === null) return null;
  try {
    const mode = statSync(source.file).mode & 0o777;
    if ((mode & 0o077) === 0) return null;
    return `${source.file} may be read by others (mode ${mode.toString(8).padStart(4, '0')}); run: chmod 600 ${source.file}`;
  } catch {
    return null;
  }
}

/**
 * @param env the process's own environment: a variable is removed from it once read, so that no child inherits it
 * @param redactor learns every secret before `read` returns it
 */
export function createSecrets(env: NodeJS.ProcessEnv, redactor: Redactor): Secrets {
  const known = new Map<SecretName, string>();
  const secrets: Secrets = {
    has: (name) => known.has(name) || secretSource(name, env) !== null,
    all: () =>
      secretNames.flatMap((name) => {
        try {
          return secrets.has(name) ? [secrets.read(name)] : [];
        } catch {
          return []; // Reported by the code that needs it.
        }
      }),
    read(name) {
      const cached = known.get(name);
      if (cached !== undefined) return cached;
      const source = secretSource(name, env);
      if (source === null) throw missing(name);
      const value = readSource(source, name, env);
      if (value === '') throw missing(name);
      redactor.add(value);
      known.set(name, value);
      delete env[forms[name].variable];
      return value;
    },
    warnings: () =>
      secretNames.flatMap((name) => {
        const source = secretSource(name, env);
        const open = source === null ? null : tooOpen(source);
        return open === null ? [] : [open];
      }),
  };
  return secrets;
}
