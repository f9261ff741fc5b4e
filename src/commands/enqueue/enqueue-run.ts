import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { App } from '../../app.ts';
import type { GitPort, JobId, ProjectPolicy, RepoSlug, Role, TaskId } from '../../core/model/index.ts';
import { OrchError, isRole, parseRepoSlug } from '../../core/model/index.ts';
import type { CommandContext } from '../shared/contract.ts';
import { followUp } from '../shared/follow-up.ts';
import { operator, withApp } from '../shared/open.ts';
import { order, taskOf } from '../shared/tasks.ts';
import { waitForJob, waitForTask } from './wait.ts';
import { taskDocument } from '../shared/documents.ts';

export interface EnqueueOptions {
  task?: string | undefined;
  workItem?: string | undefined;
  pipeline?: string | undefined;
  repo?: string | undefined;
  project?: string | undefined;
  branch?: string | undefined;
  prompt?: string | undefined;
  idempotencyKey?: string | undefined;
  wait?: string | true | undefined;
}

function usage(message: string, hint: string): OrchError {
  return new OrchError(message, { code: 'usage', hint });
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
  if (!isRole(roleText))
    throw usage(`"${roleText}" is no role`, 'Roles: analyst, architect, developer, reviewer, tester, deployer.');
  const role: Role = roleText;
  if (options.task !== undefined) {
    const text = options.task;
    return withApp(context, 'command', (app) => enqueueForTask(context, app, role, text, waitMs));
  }
  const adhoc = adhocOf(options);
  return withApp(context, 'command', (app) => enqueueAdhoc(context, app, role, adhoc, options.idempotencyKey, waitMs));
}

function waitOf(wait: string | true | undefined): number | null {
  if (wait === undefined) return null;
  const minutes = wait === true ? 24 * 60 : Number(wait);
  if (!Number.isFinite(minutes) || minutes < 0)
    throw usage(`"${String(wait)}" is no number of minutes`, 'For example --wait 30.');
  return minutes * 60_000;
}

interface Adhoc {
  repo: RepoSlug;
  /** Prefix, name or Plane id of a project; null: the repository's only one. */
  project: string | null;
  branch: string;
  prompt: string;
}

function adhocOf(options: EnqueueOptions): Adhoc {
  const { repo, branch, prompt } = options;
  if (repo === undefined || branch === undefined || prompt === undefined) {
    throw usage(
      'an ad-hoc run needs --repo, --branch and --prompt',
      'Or name a task with --task, or a Plane item with --work-item.',
    );
  }
  return { repo: parseRepoSlug(repo), project: options.project ?? null, branch, prompt: readPrompt(prompt) };
}

function readPrompt(file: string): string {
  try {
    const text = readFileSync(file === '-' ? 0 : file, 'utf8').trim();
    if (text !== '') return text;
  } catch (error) {
    throw new OrchError(`the prompt cannot be read from ${file === '-' ? 'standard input' : file}`, {
      code: 'prompt_unreadable',
      hint: 'Name a readable file, or - for standard input.',
      cause: error,
    });
  }
  throw usage('the prompt is empty', 'Describe the task for the agent.');
}

async function enqueueItem(
  context: CommandContext,
  app: App,
  key: string,
  options: EnqueueOptions,
  waitMs: number | null,
): Promise<void> {
  const { bringIn } = await import('../../core/engine/bring-in.ts');
  const { taskId, created } = await bringIn(key, options.pipeline ?? null, app.engine, app.config.projects);
  await followUp(context, app);
  printId(context, taskId, created ? 'entered' : 'is in the pipeline already');
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

/**
 * The project whose settings hold for an ad-hoc run: the repository's only one, or the one that is named.
 * @param named prefix, name or Plane id
 * @throws OrchError `repo_unknown`, `project_unknown`, `project_ambiguous`
 */
function projectOf(projects: ProjectPolicy[], repo: RepoSlug, named: string | null): ProjectPolicy {
  const here = projects.filter((project) => project.repo === repo);
  const [first, ...others] = here;
  if (first === undefined) {
    throw new OrchError(`repository ${repo} is not configured`, {
      code: 'repo_unknown',
      hint: 'Runs are only made in repositories of configured projects.',
    });
  }
  const choice = `Projects of ${repo}: ${here.map(({ prefix, name }) => `${prefix} (${name})`).join(', ')}.`;
  if (named !== null) {
    const wanted = named.toLowerCase();
    const found = here.filter(({ prefix, name, planeProject }) =>
      [prefix, name, planeProject].some((text) => text.toLowerCase() === wanted),
    );
    if (found[0] !== undefined && found.length === 1) return found[0];
    throw new OrchError(`${repo} has no project "${named}"`, { code: 'project_unknown', hint: choice });
  }
  if (others.length === 0) return first;
  throw new OrchError(`${repo} belongs to ${here.length} projects, whose settings differ`, {
    code: 'project_ambiguous',
    hint: `Say which with --project. ${choice}`,
  });
}

/** Before the job is queued, so that a worker never meets a run without its branch. */
async function makeBranch(
  context: CommandContext,
  app: App,
  { repo, branch }: Adhoc,
  baseBranch: string,
): Promise<void> {
  if (!context.secrets.has('gitea')) {
    return context.output.note(`no Gitea token here: ${branch} has to exist on the server`);
  }
  if (await ensureBranch(app.git, repo, branch, baseBranch))
    context.output.note(`branch ${branch} was made from ${baseBranch}`);
}

/**
 * Makes the branch of an ad-hoc run from the base branch when it is not there yet (spec 3.4): the run works on what the
 * server has. Two processes at once make the same branch; one that exists is left as it is.
 * @returns whether it was made now
 * @throws OrchError `base_missing`, `bad_branch`, and those of the git port
 */
async function ensureBranch(git: GitPort, repo: RepoSlug, branch: string, baseBranch: string): Promise<boolean> {
  if ((await git.lsRemoteHeads(repo)).has(branch)) return false;
  await git.fetch(repo);
  const base = await git.head(repo, baseBranch);
  if (base === null) {
    throw new OrchError(`${repo} has no branch ${baseBranch} to start ${branch} from`, {
      code: 'base_missing',
      hint: 'Set `baseBranch` of the project.',
    });
  }
  return (await git.push(repo, base, branch, null)) === 'ok';
}

function adhocJob(
  role: Role,
  { repo, branch, prompt }: Adhoc,
  policy: ProjectPolicy,
): Omit<Parameters<App['store']['enqueue']>[0], 'cause'> {
  return {
    kind: 'adhoc',
    role,
    taskId: null,
    projectId: policy.planeProject,
    repo,
    branch,
    visit: 0,
    orders: { why: 'An ad-hoc run was asked for.', sections: [{ title: 'What to do', text: prompt }] },
    command: null,
    timeoutMs: null,
    maxAttempts: policy.budgets.attempts,
    maxTransient: policy.budgets.transientRetries,
    maxInterruptions: policy.budgets.interruptions,
    runCap: null,
    costCapMicros: null,
    availableAt: null,
  };
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
