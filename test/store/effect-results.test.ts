import type Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate, migrations } from '../../src/core/store/sqlite/migrate.ts';
import { databaseBefore, migrationWith } from '../support/before-migration.ts';

/** The migration under test. */
const number = migrationWith("'mergedSha'");

let db: Database.Database;
let remove: () => void;
beforeEach(async () => {
  ({ db, remove } = await databaseBefore(number));
});
afterEach(() => remove());

/** Kind of effect, state, and its result in the former and in the new form. */
const cases: [kind: string, ok: boolean, before: Record<string, string>, after: Record<string, unknown>][] = [
  ['tracker.comment', true, { id: 'c', at: '1700000000123' }, { id: 'c', at: 1_700_000_000_123 }],
  ['tracker.comment', true, { id: 'c' }, { id: 'c', at: null }],
  ['tracker.state', true, {}, {}],
  ['git.start_branch', true, { sha: 'a', code_tree: 'b' }, { sha: 'a', codeTree: 'b' }],
  ['git.start_branch', false, { reason: 'branch_exists' }, { reason: 'branch_exists' }],
  ['forge.open_pull', true, { number: '7' }, { number: 7 }],
  ['forge.merge_pull', true, { merged_sha: 'a' }, { mergedSha: 'a' }],
  ['forge.merge_pull', true, { merged_sha: '' }, { mergedSha: null }],
  ['forge.merge_pull', false, { reason: 'torn' }, { reason: 'torn' }],
];

function parsed(sql: string): unknown[] {
  return (db.prepare(sql).all() as { body: string }[]).map(({ body }) => JSON.parse(body) as unknown);
}

describe('upgrade from results that are texts', () => {
  it('types the results of effects, and leaves the reasons of refusals and what is not delivered', async () => {
    const insert = db.prepare(
      `INSERT INTO outbox (key, lane, kind, body, report, task_id, state, available_at, created_at, result)
       VALUES (?, 'l', ?, '{}', 1, 'ET-012', ?, 0, 0, ?)`,
    );
    cases.forEach(([kind, ok, before], n) => {
      insert.run(`k/${n}`, kind, ok ? 'done' : 'dead', JSON.stringify(before));
    });
    insert.run('k/yes', 'chat.message', 'done', '{"sent":"yes"}');
    insert.run('k/no', 'chat.message', 'done', '{"sent":"no"}');
    insert.run('k/waits', 'forge.merge_pull', 'pending', null);
    await migrate(db, 'orch.db', 1000, migrations());
    expect(parsed('SELECT coalesce(result, \'"none"\') AS body FROM outbox ORDER BY id')).toEqual([
      ...cases.map(([, , , after]) => after),
      { sent: true },
      { sent: false },
      'none',
    ]);
  });

  it('types the results in messages that wait, and touches no other message', async () => {
    const insert = db.prepare(
      `INSERT INTO messages (task_id, source_key, body, created_at) VALUES ('ET-012', ?, ?, 0)`,
    );
    const of = (effect: string, ok: boolean, result: unknown): Record<string, unknown> => ({
      kind: 'effect_settled',
      effectId: '3',
      effect,
      key: 'k',
      ok,
      result,
      error: ok ? null : 'refused',
    });
    cases.forEach(([kind, ok, before], n) => {
      insert.run(`m/${n}`, JSON.stringify(of(kind, ok, before)));
    });
    const other = { kind: 'comment', text: 't', result: { number: '7' }, ok: true };
    insert.run('m/other', JSON.stringify(other));
    await migrate(db, 'orch.db', 1000, migrations());
    expect(parsed('SELECT body FROM messages ORDER BY id')).toEqual([
      ...cases.map(([kind, ok, , after]) => of(kind, ok, after)),
      other,
    ]);
  });
});
