import type { NoticeEvent } from '../model/index.ts';

/** Where each event is told (spec 10). `alert` may come twice after a crash, `info` comes at most once. */
export const channels: Record<NoticeEvent['event'], { plane: boolean; telegram: 'alert' | 'info' | 'none' }> = {
  intake_accepted: { plane: true, telegram: 'info' },
  intake_refused: { plane: true, telegram: 'alert' },
  stage_changed: { plane: true, telegram: 'info' },
  agent_started: { plane: false, telegram: 'info' },
  agent_finished: { plane: false, telegram: 'info' },
  approval_wanted: { plane: true, telegram: 'alert' },
  approval_too_old: { plane: true, telegram: 'none' },
  not_waiting_for_approval: { plane: true, telegram: 'none' },
  questions: { plane: true, telegram: 'alert' },
  bounce: { plane: true, telegram: 'alert' },
  hold: { plane: true, telegram: 'alert' },
  run_failed: { plane: true, telegram: 'alert' },
  deploy_failed: { plane: true, telegram: 'alert' },
  merged: { plane: true, telegram: 'info' },
  done: { plane: true, telegram: 'info' },
  cancelled: { plane: true, telegram: 'info' },
  agents_paused: { plane: false, telegram: 'alert' },
  agents_resumed: { plane: false, telegram: 'alert' },
  recovered: { plane: false, telegram: 'alert' },
  trouble: { plane: false, telegram: 'alert' },
  trouble_over: { plane: false, telegram: 'alert' },
};
