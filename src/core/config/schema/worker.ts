import { z } from 'zod';
import { count, time } from './parts.ts';

export const pollSection = z
  .strictObject({
    schedule: z
      .string()
      .regex(/^\S+(\s+\S+){4,5}$/, 'must be a cron expression of five or six fields')
      .default('*/30 * * * * *')
      .describe('When to poll, as a cron expression; six fields begin with seconds.'),
    planeRequestsPerMinute: count(45, 1, 6000).describe(
      'Requests to Plane a minute, of all processes of this database together; Plane allows 60 by default.',
    ),
    quickSeconds: time(5, 0, 3600).describe(
      'How often serve-poller looks, between two polls, at tasks for which a person was asked within the last hour or CI runs; 0: never.',
    ),
    idleSeconds: time(0, 0, 3600).describe(
      'Shortest time between two polls of serve-poller while no task is open; 0: as the schedule says.',
    ),
  })
  .prefault({})
  .describe('The poller.');

export const workerSection = z
  .strictObject({
    maxConcurrency: count(1, 1, 256).describe('Agents that may run at one time on this host.'),
    attempts: count(2, 1, 100).describe('Runs a job may have that fail for their own reasons or run out of time.'),
    transientRetries: count(5, 0, 1000).describe(
      'Further tries of a job after a rate limit, overload or network trouble.',
    ),
    interruptions: count(3, 0, 1000).describe('Further tries of a job after its worker or host died.'),
    pollIntervalSeconds: time(2, 0.05, 3600).describe('How often the worker looks for a job when nothing woke it.'),
    drainSeconds: time(30, 0, 3600).describe('Longest time a stop may take before the service exits.'),
    onStop: z
      .enum(['leave', 'stop'])
      .default('leave')
      .describe(
        'What a stopping worker does with running agents: leave them to their supervisor, or stop them; a stopped run counts as interrupted and its session is resumed.',
      ),
    leaseSeconds: time(60, 2, 3600).describe(
      'How long a claim holds without a heartbeat; four heartbeats are sent in that time.',
    ),
    backoffBaseSeconds: time(10, 0, 3600).describe('Base of the growing pause between tries: 2^n times this.'),
    backoffMaxSeconds: time(600, 0, 86_400).describe('Longest such pause.'),
  })
  .prefault({})
  .describe('The worker and the budgets of a job.');

export const timeoutsSection = z
  .strictObject({
    readSeconds: time(10, 0.1, 600).describe('A reading request to Plane or Gitea.'),
    writeSeconds: time(30, 0.1, 600).describe('A writing request to Plane or Gitea.'),
    mergeSeconds: time(300, 1, 3600).describe('A merge of a pull request.'),
    gitSeconds: time(60, 1, 3600).describe('A git command on this machine, and a list of the branches on the server.'),
    transferSeconds: time(120, 1, 7200).describe(
      'A git fetch or push in which nothing moves; one that moves may last as long as it takes.',
    ),
    telegramSeconds: time(5, 0.1, 120).describe('A message to Telegram.'),
  })
  .prefault({})
  .describe('Time limits.');

export const retentionSection = z
  .strictObject({
    workspaceDays: time(7, 0, 3650).describe(
      'How long the workspace of a finished task is kept, when all of it is pushed.',
    ),
    taskDays: time(30, 1, 3650).describe(
      'How long the rows of a finished task (journal, runs, messages, effects) are kept as they are; then they are kept compressed, and every command still reads them.',
    ),
    runDays: time(90, 1, 3650).describe('How long the folder of a finished run (log, orders, result) is kept.'),
  })
  .prefault({})
  .describe('What is kept, and for how long.');

export const gitSection = z
  .strictObject({
    name: z.string().min(1).max(100).default('orch').describe('Author and committer of every commit orch makes.'),
    email: z
      .string()
      .regex(/^[^\s<>@]+@[^\s<>@]+$/, 'must be an e-mail address')
      .default('orch@localhost')
      .describe('E-mail address of that author.'),
    maxFileMegabytes: count(100, 1, 100_000).describe(
      'Largest new or changed file of a commit, in MB (1,000,000 bytes); a larger one is left out, and the task is held.',
    ),
    maxCommitMegabytes: count(500, 1, 1_000_000).describe(
      'Most that all new or changed files of a commit may have, in MB; the largest are left out first.',
    ),
  })
  .prefault({})
  .describe('What orch commits: under which name, and how much at once.');

/** Caps of a task; a project may override each. */
export const capsSection = z
  .strictObject({
    runs: count(30, 1, 10_000).describe('Runs of all kinds a task may start.'),
    dollars: z
      .number()
      .positive()
      .max(1_000_000)
      .nullable()
      .default(null)
      .describe('Dollars a task may spend; `null` for no cap.'),
    developerReruns: count(3, 0, 1000).describe(
      "The developer's reruns after the first run, whatever sent the task back.",
    ),
    questionRounds: count(3, 0, 1000).describe('Rounds of questions by the analyst.'),
    rejections: count(3, 0, 1000).describe('Rejections by people.'),
    conflictRounds: count(2, 0, 1000).describe('Returns to analysis because of a conflict the architect found.'),
  })
  .prefault({})
  .describe('Caps of a task: one that is reached holds the task until a person lifts it.');
