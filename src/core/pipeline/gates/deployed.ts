import type { Verdict, Visit } from '../../model/index.ts';

/** Merged in this round, and the deployer reported success. A deployer without a result is never a success (spec 3.1, 7). */
export function judgeDeployed(visit: Visit): Verdict & { result: 'success' | 'failed' | 'none' } {
  const merged = visit.merge?.merged === true;
  const status = visit.finished?.result?.status;
  const result = status === undefined ? 'none' : status === 'success' ? 'success' : 'failed';
  const subject: Record<string, string> = {
    ...(visit.merge?.mergedSha == null ? {} : { merged: visit.merge.mergedSha }),
    ...(visit.finished === null ? {} : { run: visit.finished.runId }),
  };
  if (result === 'failed') return { status: 'fail', result, reason: 'the deployer reported a failure', subject };
  if (result === 'none') return { status: 'fail', result, reason: 'the deployer left no result', subject };
  if (!merged) return { status: 'pending', result, reason: 'the pull request is not merged', subject };
  return { status: 'pass', result, reason: 'merged, and the deployer reported success', subject };
}
