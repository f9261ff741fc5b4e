import type { NoticeEvent } from '../model/index.ts';

/** The lane of the outbox that carries every chat message: they arrive in the order in which they were decided. */
export const chatLane = 'chat';

/** Where each event is reported (spec 10). `alert` may come twice after a crash, `info` comes at most once. */
export const channels: Record<NoticeEvent['event'], { comment: boolean; chat: 'alert' | 'info' | 'none' }> = {
  intake_accepted: { comment: true, chat: 'info' },
  not_entered: { comment: true, chat: 'alert' },
  intake_refused: { comment: true, chat: 'alert' },
  stage_changed: { comment: true, chat: 'info' },
  agent_started: { comment: false, chat: 'info' },
  agent_finished: { comment: false, chat: 'info' },
  approval_wanted: { comment: true, chat: 'alert' },
  approval_too_old: { comment: true, chat: 'none' },
  may_not_approve: { comment: true, chat: 'none' },
  marker_unclear: { comment: true, chat: 'none' },
  not_waiting_for_approval: { comment: true, chat: 'none' },
  questions: { comment: true, chat: 'alert' },
  bounce: { comment: true, chat: 'alert' },
  hold: { comment: true, chat: 'alert' },
  run_failed: { comment: true, chat: 'alert' },
  deploy_failed: { comment: true, chat: 'alert' },
  merged: { comment: true, chat: 'info' },
  done: { comment: true, chat: 'info' },
  done_reopened: { comment: true, chat: 'alert' },
  cancelled: { comment: true, chat: 'info' },
  agents_paused: { comment: false, chat: 'alert' },
  agents_resumed: { comment: false, chat: 'alert' },
  recovered: { comment: false, chat: 'alert' },
  trouble: { comment: false, chat: 'alert' },
  trouble_over: { comment: false, chat: 'alert' },
};
