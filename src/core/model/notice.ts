import type { HoldCause } from './hold.ts';
import type { TaskId } from './ids.ts';
import type { Role, Stage } from './stages.ts';

/** What people are notified of (spec 10). Rendered to a language only when it is delivered. */
export type NoticeEvent =
  | { event: 'intake_accepted'; role: Role; usualMinutes: number | null }
  | { event: 'intake_refused'; defects: string[] }
  | { event: 'not_entered'; number: number; text: string }
  | { event: 'stage_changed'; from: Stage; to: Stage; by: string | null }
  | { event: 'agent_started'; role: Role; attempt: number; why: string }
  | { event: 'agent_finished'; role: Role; minutes: number; costMicros: number | null }
  | {
      event: 'approval_wanted';
      artifacts: string[];
      /** Who may approve; known when it is delivered. */ who?: string[];
    }
  | { event: 'approval_too_old'; by: string }
  | { event: 'may_not_approve'; by: string; /** Who may; known when it is delivered. */ who?: string[] }
  | { event: 'marker_unclear'; said: string }
  | { event: 'not_waiting_for_approval'; by: string; waitsFor: string }
  | { event: 'questions'; text: string; round: number; of: number }
  | { event: 'bounce'; role: Role; cause: string; text: string; n: number; of: number }
  | { event: 'hold'; cause: HoldCause; text: string; clearedBy: string; command: string | null; detail: string }
  | { event: 'run_failed'; role: Role; kind: 'timeout' | 'crash' | 'exhausted'; detail: string; runId: string }
  | { event: 'deploy_failed'; reason: string; rolledBack: boolean | null }
  | { event: 'merged'; number: number; by: 'orch' | 'person' }
  | { event: 'done' }
  | { event: 'done_reopened' }
  | { event: 'cancelled'; /** Null: in the tracker, by an unknown person. */ by: string | null }
  | { event: 'agents_paused'; reason: string; until: number | null }
  | { event: 'agents_resumed' }
  | { event: 'recovered'; lines: string[] }
  | { event: 'trouble'; text: string }
  | { event: 'trouble_over'; text: string };

/** Links are made from configured addresses only, never from API answers. */
export interface NoticeLinks {
  item?: string;
  branch?: string;
  folder?: string;
  artifact?: string;
  pr?: string;
}

export interface Notice {
  taskId: TaskId | null;
  title: string;
  body: NoticeEvent;
  links: NoticeLinks;
  /** What people read for the team's own stages and roles, by name; left out where there are none. */
  labels?: Record<string, string>;
  /** From 2 on: the same was said before, and a reader must not take it for a repetition. */
  round?: number;
}
