import { OrchError } from './errors.ts';

/** A string or number that only the parser of its kind can make; parsed at the edges, passed as it is inside. */
type Brand<T, B extends string> = T & { readonly __brand: B };

/** The tracker's id of a project. */
export type ProjectId = Brand<string, 'ProjectId'>;
/** The tracker's id of a work item. */
export type ItemId = Brand<string, 'ItemId'>;
/** orch's id of a work item in the pipeline: prefix and the item's own number, `ET-012`. */
export type TaskId = Brand<string, 'TaskId'>;
export type JobId = Brand<string, 'JobId'>;
export type RunId = Brand<string, 'RunId'>;
export type MessageId = Brand<string, 'MessageId'>;
export type EffectId = Brand<string, 'EffectId'>;
/** Forty lower-case hex digits. */
export type CommitSha = Brand<string, 'CommitSha'>;
/** `owner/name` as the forge spells it. */
export type RepoSlug = Brand<string, 'RepoSlug'>;

const taskIdPattern = /^[A-Z][A-Z0-9]{0,11}-\d{3,}$/;
const shaPattern = /^[0-9a-f]{40}$/;
const slugPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]*\/[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/** @throws OrchError `usage` when the text is no task id. */
export function parseTaskId(text: string): TaskId {
  const id = text.trim().toUpperCase();
  if (!taskIdPattern.test(id)) {
    throw new OrchError(`"${text}" is not a task id`, {
      code: 'bad_task_id',
      hint: 'A task id is a prefix and a number, such as ET-012; `orch status` lists them.',
    });
  }
  return id as TaskId;
}

/** The task id of a work item: its project's prefix and its own number, three digits at least (spec 4.1). */
export function taskIdOf(prefix: string, number: number): TaskId {
  return `${prefix}-${String(number).padStart(3, '0')}` as TaskId;
}

export function isCommitSha(text: string): text is CommitSha {
  return shaPattern.test(text);
}

/** @throws OrchError when the text is no full commit sha. */
export function parseCommitSha(text: string): CommitSha {
  if (!isCommitSha(text)) throw new OrchError(`"${text}" is not a full commit sha`, { code: 'bad_sha' });
  return text;
}

/** @throws OrchError `usage` when the text is not `owner/name`, or would climb out of a folder as a path. */
export function parseRepoSlug(text: string): RepoSlug {
  if (!slugPattern.test(text) || text.includes('..')) {
    throw new OrchError(`"${text}" is not a repository`, {
      code: 'bad_repo',
      hint: 'Write it as owner/name, the way Gitea shows it.',
    });
  }
  return text as RepoSlug;
}
