import type { Artifact, Verdict, Visit } from '../../model/index.ts';
import { documents, find, isFresh } from '../artifacts.ts';

/** A decision record or infrastructure requirements, new or changed; a new or changed conflict fails it (spec 3.1). */
export function judgeArchitecture(visit: Visit, artifacts: Artifact[]): Verdict {
  const conflict = find(artifacts, documents.conflict);
  if (isFresh(conflict, visit.baseline.artifacts)) {
    return {
      status: 'fail',
      reason: 'the architect found a conflict with the specification',
      subject: { [conflict.path]: conflict.blob },
    };
  }
  const fresh = artifacts.filter(
    (artifact) =>
      (artifact.path.startsWith(documents.decisions) || artifact.path === documents.infrastructure) &&
      isFresh(artifact, visit.baseline.artifacts),
  );
  const subject = Object.fromEntries(fresh.map((artifact) => [artifact.path, artifact.blob]));
  return fresh.length > 0
    ? { status: 'pass', reason: `${fresh.length} architecture document(s)`, subject }
    : { status: 'fail', reason: 'no new or changed file in 06-adr/ and no new 07-infra-requirements.md', subject };
}
