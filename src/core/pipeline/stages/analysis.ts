import type { Artifact, Evidence, Verdict, Visit } from '../../model/index.ts';
import { counted } from '../../model/index.ts';
import { approvedDocuments, find, isFresh, sameHashes } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { notify } from '../draft.ts';
import { approval, approvalSubject, requestApproval } from '../rules/approval.ts';
import { askAgain } from '../rules/ask-again.ts';
import { holds, holdTask, isHeldFor } from '../rules/holds.ts';
import { advanceTo, baselineOf, bounce } from '../rules/moves.ts';
import { stageAfter } from '../rules/order.ts';
import { cannotSeeBranch, commit, hold, rest, visitOf, type Step } from '../step.ts';
import { defaultFacts, type StageDefinition } from './definition.ts';
import { blocking, waiting, defaultRole } from './stage.ts';

const questionsFile = '01-questions.md';
const answers = waiting(
  'answers',
  'approver',
  'needs_input',
  { en: 'a comment with the answers by a person who may approve' },
  { en: 'Waiting for answers', ru: 'Ждёт ответов' },
  { lift: 'rerun' },
);
const questionRounds = blocking(
  'question_rounds',
  'operator',
  'rerun',
  { en: 'answering in the work item, then another run' },
  { en: 'Too many rounds of questions', ru: 'Слишком много раундов вопросов' },
);
const answered = {
  cause: 'answers',
  words: { en: 'the questions were answered', ru: 'на вопросы ответили' },
};

export const analysis: StageDefinition = {
  ...defaultFacts,
  name: 'analysis',
  words: { en: 'analysis', ru: 'анализ' },
  role: {
    ...defaultRole,
    name: 'analyst',
    words: { en: 'analyst', ru: 'аналитик' },
  },
  gate: 'analysis-approved',
  products: (folder) => [
    `\`${folder}/01-brd.md\`, \`02-trz.md\`, \`03-acceptance-criteria.md\` and \`04-test-plan.yaml\`, all four, not empty`,
    `or, when you cannot go on without an answer: \`${folder}/${questionsFile}\``,
  ],
  reads: [questionsFile],
  edges: [
    { to: 'analysis', name: 'answers, nothing produced, rejected' },
    { to: 'architecture', name: 'approved' },
  ],
  holds: [approval, answers, questionRounds],
  bounces: [answered],
  decide,
};

/** Questions first, then the four documents, then a person's approval of exactly these (spec 3.1, 3.3). */
function decide(draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const baseline = baselineOf(evidence);
  if (baseline === null || evidence.artifacts?.seen !== true) return cannotSeeBranch(draft, evidence);
  const artifacts = evidence.artifacts.value;
  const questions = find(artifacts, questionsFile);
  if (missingDocuments(artifacts).length > 0 && isFresh(questions, visit.baseline.artifacts)) {
    return ask(draft, visit, questions, baseline);
  }
  const verdict = judgeAnalysis(visit, artifacts);
  switch (verdict.status) {
    case 'pass':
      draft.task.progress.approvedDocuments = approvalSubject(artifacts);
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
      return askAgain(draft, holds.nothingProduced, verdict.reason, verdict.subject);
    case 'pending':
      return requestApproval(draft, visit, verdict.subject, 'the analysis is complete; an approval was asked for');
  }
}

/** The four documents exist, one of them changed in this visit, and an allowed person approved exactly these (spec 3.1). */
export function judgeAnalysis(visit: Visit, artifacts: Artifact[]): Verdict {
  const subject = approvalSubject(artifacts);
  const missing = missingDocuments(artifacts);
  if (missing.length > 0) return { status: 'fail', reason: `missing or empty: ${missing.join(', ')}`, subject };
  if (!approvedDocuments.some((path) => isFresh(find(artifacts, path), visit.baseline.artifacts))) {
    return { status: 'fail', reason: 'none of the four documents changed in this visit', subject };
  }
  if (visit.approved !== null && sameHashes(visit.approved.artifacts, subject)) {
    return {
      status: 'pass',
      reason: `approved by ${visit.approved.by}`,
      subject: { ...subject, comment: visit.approved.commentId },
    };
  }
  return { status: 'pending', reason: 'waits for the approval of a person', subject };
}

/** The documents that are missing or empty. */
function missingDocuments(artifacts: Artifact[]): string[] {
  return approvedDocuments.filter((path) => (find(artifacts, path)?.size ?? 0) === 0);
}

function ask(draft: Draft, visit: Visit, questions: Artifact, baseline: Visit['baseline']): Step {
  const { task, policy } = draft;
  const text = questions.text ?? '';
  const maxRounds = policy.caps.questionRounds;
  if (isHeldFor(draft, answers)) return visit.answers.length > 0 ? goOn(draft, visit, text, baseline) : rest(null);
  if (task.counters.questionRounds >= maxRounds) {
    return hold(
      draft,
      questionRounds,
      'analysis.questions-cap',
      `the analyst asks again after ${counted(maxRounds, 'round')} of questions`,
      { detail: { tail: text } },
    );
  }
  task.counters.questionRounds += 1;
  visit.answers = [];
  notify(draft, { event: 'questions', text, round: task.counters.questionRounds, of: maxRounds }, questionsFile);
  holdTask(draft, answers, 'the analyst asks; waits for answers in the work item', { questions: questions.blob });
  return commit(draft, 'analysis.questions', 'the analyst has questions', 'gate', { [questions.path]: questions.blob });
}

function goOn(draft: Draft, visit: Visit, questions: string, baseline: Visit['baseline']): Step {
  const { task, policy } = draft;
  bounce(
    draft,
    baseline,
    {
      to: task.stage,
      kind: answered,
      why: 'Your questions were answered.',
      text: visit.answers.map((answer) => answer.text).join('\n'),
      sections: [
        { title: 'Your questions', text: questions },
        ...visit.answers.map((answer) => ({ title: `Answer of ${answer.by}`, text: answer.text })),
      ],
    },
    { n: task.counters.questionRounds, of: policy.caps.questionRounds },
  );
  const comment = visit.answers[0]?.commentId ?? '';
  return commit(draft, 'analysis.answered', 'the questions were answered; the analyst goes on', `comment:${comment}`);
}
