import type { Artifact, ArtifactHashes, TaskId } from '../model/index.ts';

/** The request itself, written by orch with the branch (spec 3). */
export const businessRequest = '00-business-request.md';

/** What a person approves, by exactly these contents; only the analyst writes them. */
export const approvedDocuments = ['01-brd.md', '02-trz.md', '03-acceptance-criteria.md', '04-test-plan.yaml'];

/** The folder of all tasks' documents, relative to the repository's root. */
export const documentsRoot = 'docs/work-items';

/** The task's document folder, relative to the repository's root. */
export function documentFolder(taskId: TaskId): string {
  return `${documentsRoot}/${taskId}`;
}

export function hashesOf(artifacts: Artifact[]): ArtifactHashes {
  return Object.fromEntries(artifacts.map((artifact) => [artifact.path, artifact.blob]));
}

export function find(artifacts: Artifact[], path: string): Artifact | undefined {
  return artifacts.find((artifact) => artifact.path === path);
}

/** New or changed since the baseline: what was there before the visit is no evidence (spec 3.1). */
export function isFresh(artifact: Artifact | undefined, baseline: ArtifactHashes): artifact is Artifact {
  return artifact !== undefined && artifact.size > 0 && baseline[artifact.path] !== artifact.blob;
}

export function sameHashes(a: ArtifactHashes, b: ArtifactHashes): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
