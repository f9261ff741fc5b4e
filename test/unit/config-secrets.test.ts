import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createSecrets } from '../../src/core/config/secrets.ts';
import { OrchError } from '../../src/core/model/index.ts';
import { Redactor } from '../../src/core/platform/redact.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-secrets-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function secretFile(name: string, content: string, mode = 0o600): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

function thrown(action: () => unknown): OrchError {
  try {
    action();
  } catch (error) {
    if (error instanceof OrchError) return error;
  }
  throw new Error('nothing expected was thrown');
}

it('a variable is trimmed, redacted, and gone from the environment after reading', () => {
  const env: NodeJS.ProcessEnv = { ORCH_PLANE_API_TOKEN: ' plane-secret-1\n' };
  const redactor = new Redactor();
  const secrets = createSecrets(env, redactor);
  expect(secrets.has('plane')).toBe(true);
  expect(env['ORCH_PLANE_API_TOKEN']).toBeDefined();
  expect(secrets.read('plane')).toBe('plane-secret-1');
  expect(env).toEqual({});
  expect(secrets.read('plane')).toBe('plane-secret-1');
  expect(secrets.has('plane')).toBe(true);
  expect(redactor.redact('x plane-secret-1 y')).not.toContain('plane-secret-1');
});

it('a file and a systemd credential are read, in that order', () => {
  secretFile('gitea-token', 'from-credential\n');
  const env: NodeJS.ProcessEnv = {
    ORCH_GITEA_TOKEN_FILE: secretFile('t', 'from-file\n'),
    CREDENTIALS_DIRECTORY: folder,
  };
  expect(createSecrets(env, new Redactor()).read('gitea')).toBe('from-file');
  delete env['ORCH_GITEA_TOKEN_FILE'];
  expect(createSecrets(env, new Redactor()).read('gitea')).toBe('from-credential');
  expect(createSecrets(env, new Redactor()).has('telegram')).toBe(false);
});

it('a missing token names all three ways', () => {
  const error = thrown(() => createSecrets({}, new Redactor()).read('gitea-reviewer'));
  expect(error).toMatchObject({ code: 'missing_token', exitCode: 6 });
  for (const way of ['ORCH_GITEA_REVIEWER_TOKEN', 'ORCH_GITEA_REVIEWER_TOKEN_FILE', 'gitea-reviewer-token']) {
    expect(error.hint).toContain(way);
  }
  const empty = { ORCH_PLANE_API_TOKEN_FILE: secretFile('empty', '\n') };
  expect(thrown(() => createSecrets(empty, new Redactor()).read('plane')).code).toBe('missing_token');
});

it('a file that cannot be read is named', () => {
  const env = { ORCH_PLANE_API_TOKEN_FILE: path.join(folder, 'none') };
  const error = thrown(() => createSecrets(env, new Redactor()).read('plane'));
  expect(error).toMatchObject({ code: 'unreadable_token', exitCode: 6 });
  expect(error.message).toContain(path.join(folder, 'none'));
});

it('warns of a file that others may read', () => {
  const open = secretFile('open', 'abcdefgh', 0o644);
  const env = { ORCH_PLANE_API_TOKEN_FILE: open, ORCH_GITEA_TOKEN_FILE: secretFile('closed', 'abcdefgh') };
  const secrets = createSecrets(env, new Redactor());
  expect(secrets.warnings()).toEqual([`${open} may be read by others (mode 0644); run: chmod 600 ${open}`]);
  secrets.read('plane');
  expect(secrets.warnings()).toHaveLength(1);
});
