import type { Evidence } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import type { Step } from '../step.ts';
import type { StageFacts } from './stage.ts';

/** A work stage: its facts, and the rules that are asked when its agent has finished and nothing holds the task. */
export interface StageDefinition extends StageFacts {
  decide: (draft: Draft, evidence: Evidence) => Step;
}

/** What most stages have in common; each names what is different. */
export const defaultFacts = {
  reads: [],
  needs: () => [],
  verdictDocument: null,
  watchesCi: false,
  watchesReviews: false,
  merges: false,
  agentFirst: () => true,
  edges: [],
  holds: [],
  bounces: [],
} satisfies Partial<StageFacts>;
