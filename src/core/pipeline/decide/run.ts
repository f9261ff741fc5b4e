import type { AgentResult, CommitSha, MessageOf, Visit } from '../../model/index.ts';
import { answersCheck } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { currentStage, effect, notify, reviewLane } from '../draft.ts';
import { holds, holdTask } from '../rules/holds.ts';
import { commit, type Step } from '../step.ts';

/** Files that a hold names. */
const maxNamed = 10;

type RunFinished = MessageOf<'run_finished'>;

/** A run has ended for good: its job needs nothing more. The gate is judged afterwards, by the stage's own rule. */
export function decideRun(draft: Draft, run: RunFinished): Step {
  const { visit } = draft;
  const cause = `run:${run.runId}`;
  // A cancelled job is no answer, however its command ended: the store does not count it either.
  if (run.jobKind === 'check' && (!answersCheck(run.outcome) || run.exhausted === 'cancelled'))
    draft.task.progress.lostChecks += 1;
  if (visit === null || visit.n !== run.visit) {
    return commit(draft, 'run.late', `run ${run.runId} belongs to an earlier visit; nothing follows from it`, cause);
  }
  if (run.jobKind === 'check') return checkEnded(draft, run, cause);
  if (run.exhausted === 'cancelled') return commit(draft, 'run.cancelled', `run ${run.runId} was stopped`, cause);
  if (run.exhausted !== null) return exhausted(draft, run, cause);
  if (run.published === null) {
    const reason = run.notPublished ?? 'the branch moved on the server';
    holdTask(draft, holds.unpushed, `the work of run ${run.runId} could not be pushed: ${reason}`, { run: run.runId });
    return commit(draft, 'run.unpushed', `run ${run.runId} ended, its work is not on the server`, cause);
  }
  draft.task.progress.acceptedHead = null;
  const { result, resultTrouble } = run.outcome;
  const trouble = resultTrouble === undefined ? {} : { resultTrouble };
  visit.finished = { runId: run.runId, sha: run.published.sha, result, at: draft.now, ...trouble };
  notify(draft, {
    event: 'agent_finished',
    role: run.role,
    minutes: run.durationMs / 60_000,
    costMicros: run.outcome.costMicros,
  });
  if (currentStage(draft).role.writesCode) {
    draft.task.progress.codeSha = run.published.sha;
    answerPeople(draft, visit, run.published.sha, result?.answers ?? []);
  }
  const { leftOut = [] } = run.published;
  if (leftOut.length > 0) {
    const more = leftOut.length > maxNamed ? `; and ${leftOut.length - maxNamed} more` : '';
    const named = leftOut.slice(0, maxNamed).join('; ');
    holdTask(draft, holds.leftOut, `the commit of run ${run.runId} is without ${named}${more}`, { run: run.runId });
  }
  const scope: Record<string, string> =
    run.published.outOfScope.length > 0 ? { out_of_scope: run.published.outOfScope.join(', ') } : {};
  return commit(
    draft,
    'run.finished',
    `${run.role} finished with ${run.published.committed ? 'new work' : 'no changes'}`,
    cause,
    { sha: run.published.sha, ...scope },
  );
}

/** What the agent did about people's remarks is said in each of their threads, once for each time it was asked. */
function answerPeople(draft: Draft, visit: Visit, head: CommitSha, answers: NonNullable<AgentResult['answers']>): void {
  const { task } = draft;
  const { threads = [], heard } = visit;
  if (heard !== undefined) task.progress.heard = heard;
  delete visit.threads;
  delete visit.heard;
  const said = threads
    .map((place) => ({ ...place, text: answers.find(({ thread }) => thread === place.id)?.text ?? null }))
    .filter(({ text, owed }) => text !== null || owed);
  if (said.length === 0 || task.prNumber === null) return;
  effect(
    draft,
    'answers',
    reviewLane(task),
    { kind: 'forge.answer_threads', repo: task.repo, number: task.prNumber, head, answers: said },
    false,
  );
}

/** Test runs are judged by the gate, from the job's own record; only one that could not be carried out is held here. */
function checkEnded(draft: Draft, run: RunFinished, cause: string): Step {
  if (!answersCheck(run.outcome) && run.exhausted !== 'cancelled') {
    holdTask(draft, holds.checkFailed, `the local tests could not be run: ${run.outcome.detail}`, {
      run: run.runId,
      tail: run.outcome.tail,
    });
  }
  return commit(draft, 'run.check-ended', `the local tests ended: ${run.outcome.detail}`, cause);
}

function exhausted(draft: Draft, run: RunFinished, cause: string): Step {
  const { outcome } = run;
  const why: Record<string, string> = {
    attempts: 'the attempts of its job are used up',
    transient: 'the retries after passing faults are used up',
    interruptions: 'it was interrupted too often',
    refused: 'another run would end the same way',
  };
  const left = run.unpushed ? '; its changes stay in the workspace' : '';
  const text = `${run.role} did not finish (${outcome.detail}); ${why[run.exhausted ?? 'refused'] ?? ''}${left}`;
  const kind = outcome.kind === 'timeout' ? 'timeout' : 'exhausted';
  notify(draft, { event: 'run_failed', role: run.role, kind, detail: outcome.detail, runId: run.runId });
  holdTask(draft, outcome.cause === 'agent_alive' ? holds.agentAlive : holds.attemptsUsed, text, {
    run: run.runId,
    tail: outcome.tail.slice(-1500),
  });
  return commit(draft, 'run.exhausted', text, cause, { outcome: outcome.kind, detail: outcome.cause });
}
