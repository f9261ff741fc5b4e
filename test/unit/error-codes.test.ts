import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  errorCodes,
  exitCodes,
  isDatabaseError,
  mayPassLater,
  OrchError,
  rerunAfter,
  runCauses,
} from '../../src/core/model/index.ts';
import type { ErrorCode, RunCause } from '../../src/core/model/index.ts';

/** Kind, exit code and retry, with the codes that have them. */
const table: [kind: string, exit: number, retry: string, codes: string][] = [
  [
    'command',
    2,
    'never',
    'usage unknown_topic bad_key bad_task_id bad_repo bad_branch project_unknown project_ambiguous pipeline_unknown stage_not_in_pipeline prompt_unreadable demo_folder init_exists init_incomplete init_invalid',
  ],
  ['command', 3, 'never', 'work_item_unknown task_unknown job_unknown run_unknown no_run run_folder_missing'],
  [
    'command',
    1,
    'never',
    'bad_sha bad_path task_final task_id_taken project_configured task_created not_held role_not_in_stage init_stopped report_unwritable demo_late',
  ],
  ['command', 75, 'never', 'not_queued'],
  [
    'configuration',
    6,
    'never',
    'not_configured config_not_found config_unreadable config_invalid config_untrusted missing_token unreadable_token ca_unreadable proxy_unsupported project_not_registered repo_unknown base_missing no_access git_missing repos_foreign sandbox_unavailable git_sha256',
  ],
  ['configuration', 1, 'never', 'plane_state_missing plane_ids_taken'],
  [
    'authentication',
    4,
    'never',
    'plane_token_refused plane_forbidden gitea_token_refused gitea_forbidden telegram_token_refused git_token_refused',
  ],
  ['unreachable', 75, 'later', 'plane_unreachable gitea_unreachable telegram_unreachable git_unreachable git_timeout'],
  ['limit', 75, 'later', 'plane_rate_limited gitea_rate_limited telegram_rate_limited'],
  [
    'server',
    75,
    'later',
    'plane_server_error plane_garbage plane_too_large gitea_server_error gitea_garbage gitea_too_large telegram_server_error telegram_garbage telegram_too_large git_listed_nothing git_push_lost git_push_failed',
  ],
  ['refusal', 1, 'never', 'plane_refused gitea_refused telegram_refused git_refused'],
  ['refusal', 3, 'never', 'plane_not_found gitea_not_found telegram_not_found git_repo_missing'],
  ['refusal', 6, 'never', 'git_redirected'],
  [
    'git',
    1,
    'never',
    'git_push_refused git_read_only git_branch_in_way git_failed git_too_large branch_missing commit_missing workspace_diverged workspace_foreign',
  ],
  ['git', 75, 'later', 'git_locked'],
  ['agent', 1, 'never', 'agent_not_startable run_folder'],
  ['host', 75, 'later', 'git_killed disk_full'],
  ['database', 6, 'never', 'database_missing database_foreign database_older database_newer database_unwritable'],
  ['database', 75, 'later', 'database_busy database_full'],
  ['database', 1, 'never', 'database_corrupt database_io database_references'],
  ['orch', 1, 'never', 'no_base reconcile_failed unexpected defect'],
];

const rows = table.flatMap(([kind, exit, retry, codes]) =>
  codes.split(' ').map((code) => [code as ErrorCode, kind, exit, retry] as const),
);

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file: path.join('src', file), text: readFileSync(path.join('src', file), 'utf8') }));

describe('error codes', () => {
  it.each(rows)('%s: kind %s, exit %i, retry %s', (code, kind, exit, retry) => {
    const error = new OrchError('x', { code });
    expect([error.code, error.kind, error.exitCode, error.retry]).toEqual([code, kind, exit, retry]);
    expect(isDatabaseError(error)).toBe(kind === 'database');
    expect(mayPassLater(error)).toBe(retry === 'later' || kind === 'authentication');
  });

  it('are all in the table above', () => {
    expect(rows.map(([code]) => code).sort()).toEqual(Object.keys(errorCodes).sort());
  });

  it('are all thrown somewhere', () => {
    const thrown = sources.filter(({ file }) => !file.endsWith('model/error-codes.ts')).map(({ text }) => text);
    const made = [
      'unreachable',
      'rate_limited',
      'server_error',
      'garbage',
      'too_large',
      'refused',
      'token_refused',
      'not_found',
    ];
    const byAnswer = ['plane', 'gitea', 'telegram'].flatMap((peer) => made.map((fault) => `${peer}_${fault}`));
    const unused = Object.keys(errorCodes).filter(
      (code) => !byAnswer.includes(code) && !thrown.some((text) => text.includes(`'${code}'`)),
    );
    expect(unused).toEqual([]);
  });

  it('let only a service that met an upgraded database end in another way', () => {
    expect(new OrchError('x', { code: 'database_newer', exit: 'tryAgain' }).exitCode).toBe(exitCodes.tryAgain);
    const overrides = sources.filter(({ text }) => /\bexit\?: 'tryAgain'|, 'tryAgain'\)/.test(text));
    expect(overrides.map(({ file }) => file)).toEqual([
      'src/core/model/errors.ts',
      'src/core/store/sqlite/connection.ts',
    ]);
  });

  it('are never compared by a part of their spelling', () => {
    const part =
      /\b(?:code|outcome\.cause)\.(?:startsWith|endsWith|includes|match|search|indexOf|slice|split|replace)\b/;
    const pattern = /\.(?:test|exec)\([^()]*\b(?:code|outcome\.cause)\)/;
    // The codes of SQLite and of Node's HTTP parser and TLS form families by their spelling, and are mapped to codes of orch here.
    const edges = ['src/core/store/sqlite/errors.ts', 'src/core/peers/http/client.ts', 'src/core/platform/network.ts'];
    const found = sources.flatMap(({ file, text }) =>
      text
        .split('\n')
        .filter((line) => !edges.includes(file) && (part.test(line) || pattern.test(line)))
        .map((line) => `${file}: ${line.trim()}`),
    );
    expect(found).toEqual([]);
  });
});

describe('causes of an outcome', () => {
  const all = [...Object.keys(runCauses), ...Object.keys(errorCodes)] as RunCause[];
  const withRerun = (rerun: string | null): string[] => all.filter((cause) => rerunAfter(cause) === rerun).sort();

  it('tell an outage, which is waited for, and what no further run can help', () => {
    expect(withRerun('outage')).toEqual([
      'disk_full',
      'git_listed_nothing',
      'git_timeout',
      'git_token_refused',
      'git_unreachable',
    ]);
    expect(withRerun('hopeless')).toEqual(['agent_alive', 'git_sha256', 'prompt_too_long', 'workspace_diverged']);
    expect(withRerun(null)).toHaveLength(all.length - 9);
  });

  it('are no error codes, and each is found out somewhere', () => {
    const own = Object.keys(runCauses);
    expect(own.filter((cause) => Object.hasOwn(errorCodes, cause))).toEqual([]);
    const found = sources.filter(({ file }) => !file.endsWith('model/run-causes.ts')).map(({ text }) => text);
    expect(own.filter((cause) => !found.some((text) => text.includes(`'${cause}'`)))).toEqual([]);
  });

  it('that another version stored promise nothing', () => {
    expect(rerunAfter('of_another_version' as RunCause)).toBeNull();
    expect(rerunAfter('constructor' as RunCause)).toBeNull();
  });
});
