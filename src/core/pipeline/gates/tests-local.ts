import type { Snapshot, Verdict } from '../../model/index.ts';

/** The project's own test command on this code tree, run by the worker as a check job (spec 3.1). */
export function judgeLocalTests(checks: Snapshot['checks'], codeTree: string): Verdict {
  const check = checks.find((row) => row.codeTree === codeTree);
  const subject = { code_tree: codeTree };
  if (check === undefined) return { status: 'pending', reason: 'the local tests have not run on this code', subject };
  return check.passed
    ? { status: 'pass', reason: 'the local tests passed', subject }
    : { status: 'fail', reason: `the local tests failed: ${check.detail}`, subject };
}
