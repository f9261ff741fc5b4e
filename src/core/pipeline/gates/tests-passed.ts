import type { Artifact, Verdict, Visit } from '../../model/index.ts';
import { documents, find, isFresh } from '../artifacts.ts';
import { frontMatter } from '../front-matter.ts';

/** `result:` in the front matter of a `13-test-report.md` of this visit. Nothing else counts (spec 3.1). */
export function judgeReport(visit: Visit, artifacts: Artifact[]): Verdict & { readable: boolean } {
  const report = find(artifacts, documents.report);
  const subject: Record<string, string> = report === undefined ? {} : { [report.path]: report.blob };
  if (!isFresh(report, visit.baseline.artifacts)) {
    return { status: 'fail', readable: false, reason: 'no new or changed 13-test-report.md', subject };
  }
  const result = frontMatter(report.text ?? '')?.['result']?.toUpperCase();
  if (result === 'PASS')
    return { status: 'pass', readable: true, reason: 'the tests passed', subject: { ...subject, result } };
  if (result === 'FAIL')
    return { status: 'fail', readable: true, reason: 'the tests failed', subject: { ...subject, result } };
  return {
    status: 'fail',
    readable: false,
    reason: '13-test-report.md has no `result: PASS` or `result: FAIL` in its front matter',
    subject,
  };
}
