import type { NewMessage, ItemComment, ProjectFacts, ProjectPolicy, TaskId } from '../model/index.ts';
import { markdownOf } from '../pipeline/html/markdown.ts';
import { saidIn } from '../pipeline/markers.ts';
import { mayApprove } from './project-facts.ts';

/**
 * Comments as messages. The key makes each count once: a comment counts when it is seen first, and once more when a marker
 * appears in it; other edits change nothing (spec 4.3). A comment that somebody who may not approve rewrote has a key of its
 * own, so that it does not use up what the author may still say. orch's own never count, however its token is shared.
 */
export function messagesOf(
  comments: ItemComment[],
  taskId: TaskId,
  policy: ProjectPolicy,
  facts: ProjectFacts,
): NewMessage[] {
  const nameOf = (id: string): string | null => facts.members.find((member) => member.id === id)?.displayName ?? null;
  return comments
    .filter((comment) => comment.externalSource !== 'orch')
    .sort((a, b) => a.updatedAt - b.updatedAt)
    .map((comment) => {
      const { marker, nearMiss } = saidIn(comment.html, nameOf);
      const editor = comment.updatedBy ?? comment.actor;
      const byAllowed = mayApprove(comment.actor, policy, facts);
      const allowed = byAllowed && mayApprove(editor, policy, facts);
      const kind = marker === null ? '' : `:${marker.kind}`;
      const isRewritten = byAllowed && !allowed;
      const rewritten = isRewritten ? `:by:${editor}` : '';
      return {
        taskId,
        sourceKey: `comment:${comment.id}${kind}${rewritten}`,
        body: {
          kind: 'comment',
          commentId: comment.id,
          actor: comment.actor,
          actorName: nameOf(comment.actor) ?? comment.actor,
          updatedBy: comment.updatedBy,
          allowed,
          ...(isRewritten ? { rewrittenBy: nameOf(editor) ?? editor } : {}),
          marker,
          ...(nearMiss === undefined ? {} : { nearMiss }),
          text: markdownOf(comment.html, { nameOf }),
          updatedAt: comment.updatedAt,
        },
      };
    });
}

/** Everything that comments have to say to a task. @param database identity of this database */
export function heardIn(
  comments: ItemComment[],
  taskId: TaskId,
  policy: ProjectPolicy,
  facts: ProjectFacts,
  database: string,
): NewMessage[] {
  return [...otherDatabasesIn(comments, taskId, database), ...messagesOf(comments, taskId, policy, facts)];
}

/** External id of a comment of orch: the database that sends it, and the key of its effect. */
export function externalIdOf(database: string, key: string): string {
  return `${database}:${key}`;
}

/**
 * Comments of other databases of orch, which work on the same item, as messages; each is one. Earlier versions named none.
 * @param database identity of this one
 */
function otherDatabasesIn(comments: ItemComment[], taskId: TaskId, database: string): NewMessage[] {
  return comments.flatMap(({ id, externalSource, externalId }) => {
    const other = externalSource === 'orch' ? /^([0-9a-f]{8}):/.exec(externalId ?? '')?.[1] : undefined;
    if (other === undefined || other === database) return [];
    return [{ taskId, sourceKey: `database:${id}`, body: { kind: 'other_database', database: other, commentId: id } }];
  });
}
