import type { CommandEntry } from './shared/contract.ts';

/** Every command. A row is all that `orch --help` needs; the file is loaded when its command is asked for. */
export const commands: CommandEntry[] = [
  {
    name: 'demo',
    summary: 'see the whole line work, on a sandbox of its own',
    group: 'Start here:',
    load: () => import('./demo/demo.ts'),
  },
  {
    name: 'status',
    summary: 'is it alive, what runs, what waits for whom, what is stuck',
    group: 'Look:',
    load: () => import('./status/status.ts'),
  },
  {
    name: 'why',
    summary: 'why a task is where it is, and the decisions behind it',
    group: 'Look:',
    load: () => import('./why/why.ts'),
  },
  {
    name: 'logs',
    summary: 'what the agent of a run says, while it runs and after',
    group: 'Look:',
    load: () => import('./logs/logs.ts'),
  },
  {
    name: 'report',
    summary: 'the history of a task as Markdown or HTML',
    group: 'Look:',
    load: () => import('./report/report.ts'),
  },
  {
    name: 'metrics',
    summary: 'counts, ages and costs as Prometheus text',
    group: 'Look:',
    load: () => import('./metrics/metrics.ts'),
  },
  {
    name: 'enqueue',
    summary: 'queue an agent, a Plane item or an ad-hoc run',
    group: 'Act:',
    load: () => import('./enqueue/enqueue.ts'),
  },
  {
    name: 'advance',
    summary: "ask a task's gate now, or move it by hand",
    group: 'Act:',
    load: () => import('./advance/advance.ts'),
  },
  {
    name: 'retry',
    summary: 'lift a hold and do again what it asks for',
    group: 'Act:',
    load: () => import('./retry/retry.ts'),
  },
  {
    name: 'pause',
    summary: 'start nothing new for a task',
    group: 'Act:',
    load: () => import('./pause/pause.ts'),
  },
  {
    name: 'resume',
    summary: 'let a paused task go on',
    group: 'Act:',
    load: () => import('./resume/resume.ts'),
  },
  {
    name: 'cancel',
    summary: 'cancel a task and stop its agent',
    group: 'Act:',
    load: () => import('./cancel/cancel.ts'),
  },
  {
    name: 'reopen',
    summary: 'let a cancelled task, or one closed by hand, go on',
    group: 'Act:',
    load: () => import('./reopen/reopen.ts'),
  },
  {
    name: 'project',
    summary: 'drop the tasks of a project that is no longer configured',
    group: 'Act:',
    load: () => import('./project/project.ts'),
  },
  {
    name: 'recover',
    summary: 'repair what crashes and reboots left behind',
    group: 'Act:',
    load: () => import('./recover/recover.ts'),
  },
  {
    name: 'serve-poller',
    summary: 'look at Plane and Gitea on a schedule and decide',
    group: 'Services:',
    load: () => import('./serve-poller/serve-poller.ts'),
  },
  {
    name: 'run-worker',
    summary: 'run agents for queued jobs',
    group: 'Services:',
    load: () => import('./run-worker/run-worker.ts'),
  },
  {
    name: 'init',
    summary: 'write the configuration of a project',
    group: 'Set up:',
    load: () => import('./init/init.ts'),
  },
  {
    name: 'doctor',
    summary: 'check everything orch needs',
    group: 'Set up:',
    load: () => import('./doctor/doctor.ts'),
  },
  {
    name: 'config',
    summary: 'show and check the configuration',
    group: 'Set up:',
    load: () => import('./config/config.ts'),
  },
  {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    group: 'Set up:',
    load: () => import('./completion/completion.ts'),
  },
];
