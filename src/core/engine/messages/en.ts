import type { NoticeEvent } from '../../model/index.ts';
import { assertNever } from '../../model/index.ts';
import {
  dollars,
  excerpt,
  reasonLength,
  reportLength,
  roundMinutes,
  text,
  type Catalogue,
  type MessageText,
} from './catalogue.ts';

const stages: Catalogue['stages'] = {
  created: 'created',
  analysis: 'analysis',
  architecture: 'architecture',
  development: 'development',
  review: 'review',
  testing: 'testing',
  deploy: 'deploy',
  done: 'done',
  cancelled: 'cancelled',
};

const roles: Catalogue['roles'] = {
  analyst: 'analyst',
  architect: 'architect',
  developer: 'developer',
  reviewer: 'reviewer',
  tester: 'tester',
  deployer: 'deployer',
};

const holds: Catalogue['holds'] = {
  approval: 'Waiting for an approval',
  answers: 'Waiting for answers',
  ci: 'Waiting for CI',
  ci_silent: 'No CI has reported',
  pr_review: 'Waiting for a review of the pull request',
  cannot_see: 'A server does not answer',
  outside: 'Under way',
  intake_refused: 'The work item is not good enough to start',
  existing_artifacts: 'Documents of this id exist already',
  existing_branch: 'The branch exists already',
  nothing_produced: 'The agent left nothing that the gate can read',
  question_rounds: 'Too many rounds of questions',
  rejections: 'Rejected too often',
  conflict_rounds: 'The conflict with the specification remains',
  developer_budget: 'All reruns of the developer are used',
  no_new_code: 'No new code',
  ci_stuck: 'CI does not finish',
  no_verdict: 'No readable verdict',
  no_report: 'No readable test report',
  gate_failed: 'The gate failed',
  base_conflict: 'The branch conflicts with its base',
  deploy_failed: 'The deployment failed',
  no_deploy_result: 'The deployer left no result',
  merge_refused: 'The merge was refused',
  check_failed: 'The local tests could not be run',
  attempts_used: 'The run failed and its attempts are used',
  run_cap: 'The cap on runs is reached',
  cost_cap: 'The cap on cost is reached',
  pr_closed: 'The pull request was closed',
  branch_deleted: 'The branch was deleted',
  force_pushed: 'The branch was rewritten',
  closed_by_hand: 'The work item was closed by hand',
  effect_refused: 'A server refused what was to be done',
  unpushed: 'Work is not on the server',
  agent_alive: 'Processes of the former run are still alive',
};

const defects: Record<string, string> = {
  title_short: 'The title needs at least 5 characters.',
  title_long: 'The title may have at most 80 characters.',
  description_short: 'The description needs at least 20 characters of text.',
};

function message(body: NoticeEvent): MessageText {
  switch (body.event) {
    case 'intake_accepted':
      return text('🔍', 'Accepted. The analyst has started.', [
        body.usualMinutes === null ? '' : `This usually takes about ${roundMinutes(body.usualMinutes)} minutes.`,
      ]);
    case 'intake_refused':
      return text('⚠️', 'Not started: the work item needs more.', [
        ...body.defects.map((d) => defects[d] ?? d),
        'Edit the item; it is looked at again by itself.',
      ]);
    case 'stage_changed':
      return text('🔄', `${stages[body.from]} → ${stages[body.to]}`, [body.by === null ? '' : `By ${body.by}.`]);
    case 'agent_started':
      return text(
        '🚀',
        `The ${roles[body.role]} has started (attempt ${body.attempt}).`,
        [],
        excerpt(body.why, reasonLength),
      );
    case 'agent_finished':
      return text('✅', `The ${roles[body.role]} has finished.`, [
        `${roundMinutes(body.minutes)} min${body.costMicros === null ? '' : `, ${dollars(body.costMicros)}`}`,
      ]);
    case 'approval_wanted':
      return text('📋', 'Please read the analysis and decide.', [
        body.artifacts.join(', '),
        'Answer with a comment that begins with :approved: – or :rejected: and the reason.',
      ]);
    case 'approval_too_old':
      return text('⚠️', 'This approval does not count.', [
        `${body.by} approved before the documents were ready, or for an older version. Read what was asked about last and approve again.`,
      ]);
    case 'not_waiting_for_approval':
      return text('📋', 'Nothing waits for an approval now.', [`The task waits for: ${body.waitsFor}.`]);
    case 'questions':
      return text(
        '❓',
        `The analyst asks (round ${body.round} of ${body.of}).`,
        ['Answer in a comment; the analyst goes on with it.'],
        excerpt(body.text, 4000),
      );
    case 'bounce':
      return text(
        '🔁',
        `The ${roles[body.role]} runs again: ${bounces[body.cause] ?? body.cause} (${body.n} of ${body.of}).`,
        [],
        excerpt(body.text, reportLength),
      );
    case 'hold':
      return text(
        '⚠️',
        `${holds[body.cause]}.`,
        [
          excerpt(body.text, reasonLength),
          `Cleared by: ${body.clearedBy}.`,
          body.command === null ? '' : `Then: ${body.command}`,
        ],
        excerpt(body.detail, reportLength),
      );
    case 'gate_failed':
      return text('⚠️', `Gate ${body.gate} failed.`, [excerpt(body.reason, reasonLength)]);
    case 'run_failed':
      return text(
        body.kind === 'timeout' ? '⏰' : '❌',
        `The ${roles[body.role]} ${body.kind === 'timeout' ? 'ran out of time' : 'failed'}.`,
        [excerpt(body.detail, reasonLength), `See: orch logs ${body.runId}`],
      );
    case 'deploy_failed':
      return text(
        '🚨',
        'The deployment failed.',
        [
          body.rolledBack === true
            ? 'It was rolled back.'
            : body.rolledBack === false
              ? 'It was NOT rolled back.'
              : 'Whether it was rolled back is not known.',
        ],
        excerpt(body.reason, reasonLength),
      );
    case 'merged':
      return text('🎉', `Pull request #${body.number} is merged${body.by === 'person' ? ' by a person' : ''}.`);
    case 'done':
      return text('🎉', 'Done.');
    case 'cancelled':
      return text('⏹', `Cancelled${body.by === 'plane' ? '' : ` by ${body.by}`}. Branch and workspace are kept.`);
    case 'answered':
      return text('📋', body.text);
    case 'agents_paused':
      return text('🔴', 'No agents are started.', [
        excerpt(body.reason, reasonLength),
        body.until === null ? 'Until the agent is logged in again.' : `Until ${new Date(body.until).toISOString()}.`,
      ]);
    case 'agents_resumed':
      return text('🟢', 'Agents are started again.');
    case 'recovered':
      return text(
        '🟢',
        'Recovery did something.',
        body.lines.map((line) => excerpt(line, reasonLength)),
      );
    case 'trouble':
      return text('🔴', 'orch is in trouble.', [excerpt(body.text, reasonLength)]);
    default:
      return assertNever(body);
  }
}

const bounces: Record<string, string> = {
  answers: 'the questions were answered',
  rejected: 'rejected',
  conflict: 'a conflict with the specification',
  red_ci: 'the checks are red',
  changes_requested: 'changes were requested',
  tests_failed: 'the tests failed',
  base_conflict: 'a conflict with the base branch',
  code_changed: 'the code changed after its approval',
};

export const english: Catalogue = {
  stages,
  roles,
  holds,
  links: { item: 'Work item', branch: 'Branch', folder: 'Documents', artifact: 'Document', pr: 'Pull request' },
  message,
};
