import type { Artifact, Evidence, Verdict, Visit } from '../../model/index.ts';
import { find, isFresh } from '../artifacts.ts';
import { frontMatter } from '../front-matter.ts';

/** A gate that reads one key of the front matter of one document: the reviewer's verdict, the tester's result (spec 3.1). */
export interface DocumentGate {
  /** Below the task's document folder. */
  document: string;
  /** Lower case. */
  key: string;
  /** Upper case. */
  pass: string[];
  fail: string[];
  /** What a pass and a fail say, half a sentence each. */
  passed: string;
  failed: string;
}

export type DocumentVerdict = Verdict & { readable: boolean };

/** Characters of an unknown value that are repeated in the reason. */
const maxQuoted = 40;

/**
 * Reads the document of this visit. Prose never counts.
 * @param verdictCommit the commit that the document is about; undefined where that does not matter
 */
export function judgeDocument(
  gate: DocumentGate,
  visit: Visit,
  artifacts: Artifact[],
  verdictCommit: Evidence['verdictCommit'],
): DocumentVerdict {
  const document = find(artifacts, gate.document);
  const subject: Record<string, string> = document === undefined ? {} : { [document.path]: document.blob };
  const unreadable = (reason: string): DocumentVerdict => ({ status: 'fail', readable: false, reason, subject });
  if (!isFresh(document, visit.baseline.artifacts)) return unreadable(`no new or changed ${gate.document}`);
  const { keys, trouble } = frontMatter(document.text ?? '');
  if (trouble !== null) return unreadable(`the front matter of ${gate.document} cannot be read: ${trouble}`);
  const value = keys[gate.key]?.toUpperCase();
  const wanted = [...gate.pass, ...gate.fail];
  if (value === undefined || !wanted.includes(value)) return unreadable(unreadableReason(gate, value));
  if (verdictCommit?.seen === false)
    return { status: 'pending', readable: true, reason: verdictCommit.reason, subject };
  const named = verdictCommit?.value ?? null;
  if (named !== null && !named.sameCode) {
    const commit = named.named.slice(0, maxQuoted);
    return unreadable(`${gate.document} is about commit ${commit}, whose code is not the head's`);
  }
  const passes = gate.pass.includes(value);
  return {
    status: passes ? 'pass' : 'fail',
    readable: true,
    reason: passes ? gate.passed : gate.failed,
    subject: { ...subject, [gate.key]: value },
  };
}

function unreadableReason(gate: DocumentGate, value: string | undefined): string {
  const wanted = [...gate.pass, ...gate.fail].map((one) => `\`${gate.key}: ${one}\``).join(' or ');
  return value === undefined
    ? `${gate.document} has no ${wanted} in its front matter`
    : `${gate.document} has the unknown ${gate.key} "${value.slice(0, maxQuoted)}"`;
}
