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
