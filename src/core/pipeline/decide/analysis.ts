import type { Artifact, Evidence, Visit } from '../../model/index.ts';
import { approvalSubject, documents, find, isFresh, missingDocuments, sameHashes } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { tell } from '../draft.ts';
import { judgeAnalysis } from '../gates/analysis-approved.ts';
import { holdTask } from '../holds.ts';
import { advanceTo, baselineOf, bounce } from '../moves.ts';
import { cannotSee, commit, hold, rest, visitOf, type Ruling } from '../ruling.ts';
import { stageAfter } from '../table.ts';
import { askAgain } from './directive.ts';

/** Questions first, then the four documents, then a person's approval of exactly these (spec 3.1, 3.3). */
export function decideAnalysis(draft: Draft, evidence: Evidence): Ruling {
  const visit = visitOf(draft);
  const baseline = baselineOf(evidence);
  if (baseline === null || evidence.artifacts?.seen !== true) return cannotSee(draft, unseen(evidence));
  const artifacts = evidence.artifacts.value;
  const questions = find(artifacts, documents.questions);
  if (missingDocuments(artifacts).length > 0 && isFresh(questions, visit.baseline.artifacts)) {
    return ask(draft, visit, questions, baseline);
  }
  const verdict = judgeAnalysis(visit, artifacts);
  switch (verdict.status) {
    case 'pass':
      advanceTo(
        draft,
        stageAfter(draft.task.stage, draft.task.pipelineStages),
        baseline,
        `The analysis was ${verdict.reason}.`,
        visit.approved?.by ?? null,
      );
      return commit(
        draft,
        'analysis.approved',
        verdict.reason,
        `comment:${visit.approved?.commentId ?? ''}`,
        verdict.subject,
      );
    case 'fail':
      return askAgain(draft, 'nothing_produced', verdict.reason, verdict.subject);
    case 'pending':
      return wantApproval(draft, visit, artifacts);
  }
}

/** The reason why a baseline cannot be taken, whichever part is missing. */
export function unseen(evidence: Evidence): string {
  for (const part of [evidence.head, evidence.artifacts, evidence.codeTree])
    if (part?.seen === false) return part.reason;
  return 'the branch has not been seen yet';
}

function wantApproval(draft: Draft, visit: Visit, artifacts: Artifact[]): Ruling {
  const subject = approvalSubject(artifacts);
  if (visit.approval !== null && sameHashes(visit.approval.artifacts, subject)) {
    return hold(draft, 'approval', 'analysis.waits', 'waits for :approved: or :rejected: in the work item', {
      detail: { visit: String(visit.n) },
    });
  }
  holdTask(draft, 'approval', 'waits for :approved: or :rejected: in the work item', { visit: String(visit.n) });
  const key = tell(draft, { event: 'approval_wanted', artifacts: Object.keys(subject) });
  // An approval of the request before this one, whose delivery was never recorded, is older than this one.
  const early = visit.approval?.early;
  if (early !== undefined) tell(draft, { event: 'approval_too_old', by: early.by });
  visit.approval = { artifacts: subject, key: key ?? '', askedAt: null };
  visit.approved = null;
  return commit(draft, 'analysis.ask-approval', 'the analysis is complete; an approval was asked for', 'gate', subject);
}

function ask(draft: Draft, visit: Visit, questions: Artifact, baseline: Visit['baseline']): Ruling {
  const { task, policy } = draft;
  const text = questions.text ?? '';
  if (task.hold?.cause === 'answers' && visit.answers.length > 0) {
    bounce(
      draft,
      baseline,
      {
        to: 'analysis',
        cause: 'answers',
        why: 'Your questions were answered.',
        text: visit.answers.map((answer) => answer.text).join('\n'),
        sections: [
          { title: 'Your questions', text },
          ...visit.answers.map((answer) => ({ title: `Answer of ${answer.by}`, text: answer.text })),
        ],
      },
      { n: task.counters.questionRounds, of: policy.caps.questionRounds },
    );
    return commit(
      draft,
      'analysis.answered',
      'the questions were answered; the analyst goes on',
      `comment:${visit.answers[0]?.commentId ?? ''}`,
    );
  }
  if (task.hold?.cause === 'answers') return rest(null);
  if (task.counters.questionRounds >= policy.caps.questionRounds) {
    return hold(
      draft,
      'question_rounds',
      'analysis.questions-cap',
      `the analyst asks again after ${policy.caps.questionRounds} rounds of questions`,
      { detail: { tail: text } },
    );
  }
  task.counters.questionRounds += 1;
  visit.answers = [];
  tell(
    draft,
    { event: 'questions', text, round: task.counters.questionRounds, of: policy.caps.questionRounds },
    documents.questions,
  );
  holdTask(draft, 'answers', 'the analyst asks; waits for answers in the work item', { questions: questions.blob });
  return commit(draft, 'analysis.questions', 'the analyst has questions', 'gate', { [questions.path]: questions.blob });
}
