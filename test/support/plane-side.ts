import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { taskIdOf, type TaskId, type TaskRow } from '../../src/core/model/index.ts';
import type { AgentCall } from '../../src/sandbox/agent/script.ts';
import { addComment, editComment } from '../../src/sandbox/plane/comments.ts';
import type { Comment, PlaneUser, WorkItem } from '../../src/sandbox/plane/state.ts';
import type { Line } from './line.ts';
import { until } from './until.ts';

export const goodText = '<p>Regular customers get a discount of ten percent on every cart.</p>';

/** What people do in Plane and what they see there, for one line. */
export interface PlaneSide {
  id(item: WorkItem): TaskId;
  add(name: string, html?: string, by?: PlaneUser): WorkItem;
  say(user: PlaneUser, item: WorkItem, html: string, more?: Record<string, unknown>): Comment;
  rewrite(user: PlaneUser, comment: Comment, html: string): void;
  /** Waits for Plane's background worker and ticks. */
  tick(times?: number): Promise<void>;
  /** orch's comments of an item, oldest first. */
  notices(item: WorkItem): string[];
  /** Those whose text holds all of the words. */
  noticesWith(item: WorkItem, ...words: string[]): string[];
  shown(item: WorkItem): string;
  row(item: WorkItem): Promise<TaskRow>;
  rules(item: WorkItem): Promise<string[]>;
  /** Calls of a role of the scripted agent, in order. */
  calls(item: WorkItem, role: string): AgentCall[];
  /** What `orch retry` does; the next tick carries it out. */
  retry(item: WorkItem): Promise<void>;
}

export function planeSide(line: Line): PlaneSide {
  const { world } = line;
  const { plane } = world;
  let retries = 0;
  const side: PlaneSide = {
    id: (item) => taskIdOf('ET', item.sequence),
    add: (name, html = goodText, by = world.people.lead) =>
      plane.addItem(world.project, by, { name, description_html: html }),
    say: (user, item, html, more = {}) =>
      addComment(plane.state, world.project, user, item.id, { comment_html: html, ...more }),
    rewrite: (user, comment, html) => editComment(plane.state, user, comment, html),
    async tick(times = 1) {
      for (let n = 0; n < times; n += 1) {
        await settled(line);
        const { problems } = await line.tick();
        for (const { what, error } of problems) throw new Error(`${what}: ${error.message}`, { cause: error });
      }
    },
    notices: (item) =>
      plane
        .commentsOf(item)
        .filter((comment) => comment.externalSource === 'orch' && comment.externalId !== null)
        .map((comment) => comment.html),
    noticesWith: (item, ...words) => side.notices(item).filter((html) => words.every((word) => html.includes(word))),
    shown: (item) => plane.stateName(item),
    row: (item) => line.task(side.id(item)),
    rules: async (item) =>
      (await line.app.store.decisions({ taskId: side.id(item), limit: 200 }))
        .map((decision) => decision.why.rule)
        .reverse(),
    calls(item, role) {
      const folder = path.join(line.root, 'script', 'calls');
      if (!existsSync(folder)) return [];
      return readdirSync(folder)
        .filter((name) => name.startsWith(`${side.id(item)}.${role}.`))
        .map((name) => readFileSync(path.join(folder, name), 'utf8'))
        .filter((text) => text !== '')
        .map((text) => JSON.parse(text) as AgentCall)
        .sort((a, b) => a.n - b.n);
    },
    async retry(item) {
      const body = { kind: 'command', name: 'retry', by: 'op' } as const;
      await line.app.store.post({ taskId: side.id(item), sourceKey: `command:retry:${(retries += 1)}`, body });
    },
  };
  return side;
}

/** What people did reaches the list of items only when Plane's background worker has moved the item. */
export async function settled(line: Line): Promise<void> {
  const { worker } = line.world.plane.state;
  await until('the background worker of Plane', () => worker.timers.size === 0, 5000, 2);
}

/** Writes among the requests Plane got, such as `PATCH /api/…`. */
export function writes(requests: string[]): string[] {
  return requests.filter((request) => !request.startsWith('GET '));
}

/** Content of every table but the leases and the request budget, as text: every tick writes these. */
export function dumpTables(line: Line): string {
  const database = new Database(line.app.config.dbPath, { readonly: true });
  try {
    const tables = database
      .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .all()
      .map(({ name }) => name)
      .filter((name) => name !== 'leases' && !name.startsWith('tracker_') && name !== 'sqlite_sequence');
    return tables
      .map((name) => `${name} ${JSON.stringify(database.prepare(`SELECT * FROM "${name}"`).all())}`)
      .join('\n');
  } finally {
    database.close();
  }
}
