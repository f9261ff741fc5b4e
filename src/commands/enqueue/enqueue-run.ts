import { createHash } from 'node:crypto';
import type { App } from '../../app.ts';
import type { JobId, Role, TaskId } from '../../core/model/index.ts';
import { OrchError } from '../../core/model/index.ts';
import { roleNames } from '../../core/pipeline/stages/index.ts';
import type { CommandContext } from '../shared/contract.ts';
import { taskDocument } from '../shared/documents.ts';
import { followUp } from '../shared/follow-up.ts';
import { operator, withApp } from '../shared/open.ts';
import { order, taskOf } from '../shared/tasks.ts';
import { adhocJob, adhocOf, makeBranch, projectOf, usage, type Adhoc, type AdhocOptions } from './adhoc.ts';
import { waitForJob, waitForTask } from './wait.ts';

interface EnqueueOptions extends AdhocOptions {
  task?: string | undefined;
  workItem?: string | undefined;
  pipeline?: string | undefined;
  idempotencyKey?: string | undefined;
  wait?: number | true | undefined;
}

/** One of three things, distinguished by their options; a mixture is refused before anything is opened. */
export async function enqueue(
  context: CommandContext,
  roleText: string | undefined,
  options: EnqueueOptions,
): Promise<void> {
  const waitMs = waitOf(options.wait);
  if (options.workItem !== undefined) {
    if (roleText !== undefined || options.repo !== undefined || options.task !== undefined)
      throw usage('--work-item stands alone', 'Its pipeline decides which agents run.');
    const key = options.workItem;
    return withApp(context, 'command', (app) => enqueueItem(context, app, key, options, waitMs));
  }
  if (roleText === undefined)
    throw usage(
      'nothing to queue',
      'Give --work-item KEY, or a role with --task ID, or a role with --repo, --branch and --prompt.',
    );
  const role: Role = roleText;
  if (options.task !== undefined) {
    const text = options.task;
    return withRole(context, role, (app) => enqueueForTask(context, app, role, text, waitMs));
  }
  const adhoc = adhocOf(options);
  return withRole(context, role, (app) => enqueueAdhoc(context, app, role, adhoc, options.idempotencyKey, waitMs));
}

/** @throws OrchError `usage` for a role that neither orch nor the configuration knows */
async function withRole(context: CommandContext, role: Role, work: (app: App) => Promise<void>): Promise<void> {
  return withApp(context, 'command', async (app) => {
    const known = [
      ...new Set([...roleNames, ...app.config.projects.flatMap((p) => p.ownStages.map((own) => own.role))]),
    ];
    if (!known.includes(role)) throw usage(`there is no role "${role}"`, `Roles: ${known.join(', ')}.`);
    await work(app);
  });
}

function waitOf(wait: number | true | undefined): number | null {
  if (wait === undefined) return null;
  return (wait === true ? 24 * 60 : wait) * 60_000;
}

async function enqueueItem(
  context: CommandContext,
  app: App,
  key: string,
  options: EnqueueOptions,
  waitMs: number | null,
): Promise<void> {
  const { bringIn } = await import('../../core/engine/bring-in.ts');
  const by = operator(context.env);
  const { taskId, came } = await bringIn(key, options.pipeline ?? null, app.engine, app.config.projects, by);
  const created = came === 'new';
  const { task } = await taskOf(app.store, taskId);
  if (came === 'known' && task.stage === 'done') {
    throw new OrchError(
      `work item ${key} is done already, as ${taskId}: ${task.prNumber === null ? 'it' : `pull request #${task.prNumber}`} was merged`,
      {
        code: 'task_final',
        hint: 'Make a new work item for what is still to be done, and enqueue that.',
      },
    );
  }
  await followUp(context, app);
  const said = {
    new: 'entered',
    reopened: 'was cancelled and is reopened',
    known: `is in the pipeline already, in ${task.stage}`,
  };
  printId(context, taskId, said[came]);
  if (waitMs !== null) return waitForTask(context, app.store, taskId, waitMs);
  if (context.output.asJson) context.output.json({ created, task: taskDocument(await taskOf(app.store, taskId)) });
}

async function enqueueForTask(
  context: CommandContext,
  app: App,
  role: Role,
  text: string,
  waitMs: number | null,
): Promise<void> {
  const before = await taskOf(app.store, text);
  await order(app.store, before.task.id, { kind: 'command', name: 'run', by: operator(context.env), role });
  await followUp(context, app);
  const [decision] = (await app.store.decisions({ taskId: before.task.id, limit: 10 })).filter((row) =>
    row.why.rule.startsWith('command.run'),
  );
  if (decision !== undefined && decision.why.rule !== 'command.run' && decision.why.rule !== 'command.run-live') {
    throw new OrchError(decision.why.sentence, {
      code: 'role_not_in_stage',
      hint: `\`orch why ${before.task.id}\` says where the task is.`,
    });
  }
  const { liveJob } = await taskOf(app.store, before.task.id);
  if (liveJob === null)
    throw new OrchError(`no job was queued for ${before.task.id}`, {
      code: 'not_queued',
      hint: `See \`orch why ${before.task.id}\`.`,
    });
  await finishJob(context, app, liveJob.id, decision?.why.rule === 'command.run', waitMs);
}

async function enqueueAdhoc(
  context: CommandContext,
  app: App,
  role: Role,
  adhoc: Adhoc,
  key: string | undefined,
  waitMs: number | null,
): Promise<void> {
  const { repo, branch, prompt } = adhoc;
  const policy = projectOf(app.config.projects, repo, adhoc.project);
  const cause = `adhoc:${createHash('sha256')
    .update(key ?? `${repo}\0${branch}\0${role}\0${prompt}\0${app.store.now()}`)
    .digest('hex')
    .slice(0, 32)}`;
  await makeBranch(context, app, adhoc, policy.baseBranch);
  const { job, created } = await app.store.enqueue({ ...adhocJob(role, adhoc, policy), cause });
  await finishJob(context, app, job.id, created, waitMs);
}

async function finishJob(
  context: CommandContext,
  app: App,
  jobId: JobId,
  created: boolean,
  waitMs: number | null,
): Promise<void> {
  printId(context, jobId, created ? 'queued' : 'exists already');
  if (waitMs !== null) return waitForJob(context, app.store, jobId, waitMs);
  const job = await app.store.job(jobId);
  if (context.output.asJson)
    context.output.json({ created, job: { id: jobId, state: job?.state ?? null, role: job?.role ?? null } });
}

/** The id alone on stdout, for scripts; what came of it on stderr. */
function printId(context: CommandContext, id: JobId | TaskId, what: string): void {
  context.output.line(id);
  context.output.note(`${id} ${what}`);
}
