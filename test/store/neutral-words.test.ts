import type Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate, migrations } from '../../src/core/store/sqlite/migrate.ts';
import { databaseBefore, migrationWith } from '../support/before-migration.ts';

/** The migration under test; what came before it wrote the words of the products. */
const number = migrationWith("'tracker.comment'");

let db: Database.Database;
let remove: () => void;
beforeEach(async () => {
  ({ db, remove } = await databaseBefore(number));
});
afterEach(() => remove());

const upgrade = (): Promise<void> => migrate(db, 'orch.db', 1000, migrations());

function effect(key: string, lane: string, body: Record<string, unknown>, state = 'pending'): void {
  db.prepare(
    `INSERT INTO outbox (key, lane, kind, body, report, task_id, state, available_at, created_at, lease_expires_at)
     VALUES (?, ?, ?, ?, 1, 'ET-012', ?, 0, 0, ?)`,
  ).run(key, lane, body['kind'], JSON.stringify(body), state, state === 'in_flight' ? 1 : null);
}

function rows<T>(sql: string): T[] {
  return db.prepare(sql).all() as T[];
}

describe('upgrade from the words of Plane, Gitea and Telegram', () => {
  it('renames kinds and lanes of effects and leaves their keys', async () => {
    effect(
      'k/1/approval_wanted',
      'plane:i',
      { kind: 'plane.comment', notice: { body: { event: 'done' } } },
      'in_flight',
    );
    effect('k/1/state.done', 'plane:i', { kind: 'plane.state', phase: 'done' });
    effect(
      'k/1/telegram.done',
      'telegram',
      { kind: 'telegram.message', notice: { body: { event: 'done' } } },
      'in_flight',
    );
    effect('k/2/start_branch', 'gitea:acme/shop#feature/x', { kind: 'git.start_branch' }, 'done');
    effect('k/3/open_pr', 'gitea:acme/shop#feature/x', { kind: 'gitea.open_pr' }, 'dead');
    effect('k/4/merge', 'gitea:acme/shop#feature/x', { kind: 'gitea.merge', number: 7 }, 'in_flight');
    await upgrade();
    expect(rows(`SELECT key, lane, kind, json_extract(body, '$.kind') AS body, state FROM outbox ORDER BY id`)).toEqual(
      [
        {
          key: 'k/1/approval_wanted',
          lane: 'tracker:i',
          kind: 'tracker.comment',
          body: 'tracker.comment',
          state: 'in_flight',
        },
        { key: 'k/1/state.done', lane: 'tracker:i', kind: 'tracker.state', body: 'tracker.state', state: 'pending' },
        { key: 'k/1/telegram.done', lane: 'chat', kind: 'chat.message', body: 'chat.message', state: 'in_flight' },
        {
          key: 'k/2/start_branch',
          lane: 'forge:acme/shop#feature/x',
          kind: 'git.start_branch',
          body: 'git.start_branch',
          state: 'done',
        },
        {
          key: 'k/3/open_pr',
          lane: 'forge:acme/shop#feature/x',
          kind: 'forge.open_pull',
          body: 'forge.open_pull',
          state: 'dead',
        },
        {
          key: 'k/4/merge',
          lane: 'forge:acme/shop#feature/x',
          kind: 'forge.merge_pull',
          body: 'forge.merge_pull',
          state: 'in_flight',
        },
      ],
    );
  });

  it('renames votes, and who cancelled', async () => {
    effect('k/1/review', 'gitea:a', { kind: 'gitea.review', verdict: 'APPROVED', body: 'good' });
    effect('k/2/review', 'gitea:a', { kind: 'gitea.review', verdict: 'REQUEST_CHANGES', body: 'bad' });
    effect('k/3/cancelled', 'plane:i', {
      kind: 'plane.comment',
      notice: { body: { event: 'cancelled', by: 'plane' } },
    });
    effect('k/4/cancelled', 'plane:i', { kind: 'plane.comment', notice: { body: { event: 'cancelled', by: 'op' } } });
    await upgrade();
    expect(
      rows<{ body: string }>('SELECT body FROM outbox ORDER BY id').map(({ body }) => JSON.parse(body) as unknown),
    ).toEqual([
      { kind: 'forge.post_review', vote: 'approved', body: 'good' },
      { kind: 'forge.post_review', vote: 'changes_requested', body: 'bad' },
      { kind: 'tracker.comment', notice: { body: { event: 'cancelled', by: null } } },
      { kind: 'tracker.comment', notice: { body: { event: 'cancelled', by: 'op' } } },
    ]);
  });

  it('renames the effect of a message that waits, and forgets mirrors in the old words', async () => {
    const message = db.prepare(
      `INSERT INTO messages (task_id, source_key, body, created_at) VALUES ('ET-012', ?, ?, 0)`,
    );
    message.run('a', JSON.stringify({ kind: 'effect_settled', effect: 'gitea.merge', key: 'k/4/merge' }));
    message.run('b', JSON.stringify({ kind: 'comment', text: 'plane.comment' }));
    const mirror = db.prepare(
      `INSERT INTO mirrors (task_id, kind, key, body, seen_at) VALUES ('ET-012', ?, ?, '{}', 0)`,
    );
    for (const kind of ['item', 'branch', 'pr', 'reviews', 'statuses']) mirror.run(kind, '');
    await upgrade();
    expect(
      rows<{ body: string }>('SELECT body FROM messages ORDER BY id').map(({ body }) => JSON.parse(body) as unknown),
    ).toEqual([
      { kind: 'effect_settled', effect: 'forge.merge_pull', key: 'k/4/merge' },
      { kind: 'comment', text: 'plane.comment' },
    ]);
    expect(
      rows<{ kind: string }>('SELECT kind FROM mirrors')
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(['branch', 'item', 'pr']);
  });
});
