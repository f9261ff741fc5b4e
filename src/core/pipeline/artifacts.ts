import type { Artifact, ArtifactHashes, TaskId } from '../model/index.ts';

/** Names of the documents in a task's folder (spec 3). */
export const documents = {
  businessRequest: '00-business-request.md',
  questions: '01-questions.md',
  analyst: ['01-brd.md', '02-trz.md', '03-acceptance-criteria.md', '04-test-plan.yaml'],
  decisions: '06-adr/',
  infrastructure: '07-infra-requirements.md',
  conflict: '10-conflict.md',
  review: '12-review.md',
  report: '13-test-report.md',
} as const;

/** The task's document folder, relative to the repository's root. */
export function documentFolder(taskId: TaskId): string {
  return `docs/work-items/${taskId}`;
}

/** Files whose text is judged or handed on, and therefore read whole. */
export function isReadWhole(path: string): boolean {
  return [documents.questions, documents.conflict, documents.review, documents.report].includes(path as never);
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

/** The analyst's four documents that are missing or empty. */
export function missingDocuments(artifacts: Artifact[]): string[] {
  return documents.analyst.filter((path) => (find(artifacts, path)?.size ?? 0) === 0);
}

/** Hashes of the analyst's four documents: what an approval is for. */
export function approvalSubject(artifacts: Artifact[]): ArtifactHashes {
  return hashesOf(artifacts.filter((artifact) => (documents.analyst as readonly string[]).includes(artifact.path)));
}

export function sameHashes(a: ArtifactHashes, b: ArtifactHashes): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
