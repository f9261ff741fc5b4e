import { readFileSync } from 'node:fs';
import type { App } from '../../app.ts';
import type { GitPort, ProjectPolicy, RepoSlug, Role } from '../../core/model/index.ts';
import { OrchError, parseRepoSlug } from '../../core/model/index.ts';
import type { CommandContext } from '../shared/contract.ts';

/** A mistake in the options. */
export function usage(message: string, hint: string): OrchError {
  return new OrchError(message, { code: 'usage', hint });
}

export interface AdhocOptions {
  repo?: string | undefined;
  project?: string | undefined;
  branch?: string | undefined;
  prompt?: string | undefined;
}

/** What an ad-hoc run is asked to do. */
export interface Adhoc {
  repo: RepoSlug;
  /** Prefix, name or Plane id of a project; null: the repository's only one. */
  project: string | null;
  branch: string;
  prompt: string;
}

/** @throws OrchError `usage`, `prompt_unreadable` */
export function adhocOf(options: AdhocOptions): Adhoc {
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

/**
 * The project whose settings hold for an ad-hoc run: the repository's only one, or the one that is named.
 * @param named prefix, name or Plane id
 * @throws OrchError `repo_unknown`, `project_unknown`, `project_ambiguous`
 */
export function projectOf(projects: ProjectPolicy[], repo: RepoSlug, named: string | null): ProjectPolicy {
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
    const found = here.filter(({ prefix, name, projectId }) =>
      [prefix, name, projectId].some((text) => text.toLowerCase() === wanted),
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

/** Makes the branch before the job is queued, so that a worker never meets a run without its branch. */
export async function makeBranch(
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
  await git.fetch(repo, [baseBranch]);
  const base = await git.head(repo, baseBranch);
  if (base === null) {
    throw new OrchError(`${repo} has no branch ${baseBranch} to start ${branch} from`, {
      code: 'base_missing',
      hint: 'Set `baseBranch` of the project.',
    });
  }
  return (await git.push(repo, base, branch, null)) === 'ok';
}

/** The job of an ad-hoc run, without its idempotency key. */
export function adhocJob(
  role: Role,
  { repo, branch, prompt }: Adhoc,
  policy: ProjectPolicy,
): Omit<Parameters<App['store']['enqueue']>[0], 'cause'> {
  return {
    kind: 'adhoc',
    role,
    taskId: null,
    projectId: policy.projectId,
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
