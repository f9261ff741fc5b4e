import type { Config } from '../../core/config/config.ts';
import type { Parts } from '../../parts.ts';
import {
  OrchError,
  parseRepoSlug,
  itemPhases,
  type ItemPhase,
  type Tracker,
  type ProjectId,
  type ProjectPolicy,
  type RepoSlug,
} from '../../core/model/index.ts';
import { systemClock } from '../../core/platform/clock.ts';
import { silentLog } from '../../core/platform/log.ts';
import type { CommandContext } from '../shared/contract.ts';
import type { Given } from './answers.ts';

/**
 * What the servers report, where addresses and tokens are at hand: prefix and name from Plane, the base branch from
 * Gitea. Trouble is a warning: the file can be written without them.
 */
export async function foundOut(context: CommandContext, given: Given): Promise<Given> {
  return { ...(await fromPlane(context, given)), ...(await fromGitea(context, given)), ...given };
}

async function fromPlane({ secrets, output }: CommandContext, given: Given): Promise<Given> {
  const { planeUrl, planeWorkspace, planeProject } = given;
  if (planeUrl === undefined || planeWorkspace === undefined || planeProject === undefined) return {};
  if (!secrets.has('plane')) return {};
  const { createPlane } = await import('../../core/peers/plane/plane.ts');
  const plane = createPlane({
    url: planeUrl,
    workspace: planeWorkspace,
    token: () => secrets.read('plane'),
    requestsPerMinute: 45,
    clock: systemClock,
    log: silentLog,
  });
  try {
    const { identifier, name } = await plane.project(planeProject as ProjectId);
    return { prefix: identifier, name };
  } catch (error) {
    return later(error, (text) => output.warn(text));
  }
}

async function fromGitea({ secrets, output }: CommandContext, given: Given): Promise<Given> {
  const { giteaUrl, repo } = given;
  if (giteaUrl === undefined || repo === undefined || !secrets.has('gitea')) return {};
  const { createGitea } = await import('../../core/peers/gitea/gitea.ts');
  const token = (): string => secrets.read('gitea');
  const gitea = createGitea({ url: giteaUrl, token, reviewerToken: null, log: silentLog });
  try {
    const slug = parseRepoSlug(repo);
    const { defaultBranch, canPush, isSha256 } = await gitea.repo(slug);
    if (isSha256) output.warn(`${repo} keeps its objects as SHA-256: orch works with SHA-1 repositories only`);
    if (!canPush) output.warn(`orch's account may not push to ${slug}: give it write access`);
    await tryReviewer({ secrets, output }, giteaUrl, slug);
    return defaultBranch === '' ? {} : { baseBranch: defaultBranch };
  } catch (error) {
    return later(error, (text) => output.warn(text));
  }
}

/** The second account, where its token is at hand: whether it sees the repository, and whether its approval counts. */
async function tryReviewer(
  { secrets, output }: Pick<CommandContext, 'secrets' | 'output'>,
  url: string,
  slug: RepoSlug,
): Promise<void> {
  if (!secrets.has('gitea-reviewer')) return;
  const { createGitea } = await import('../../core/peers/gitea/gitea.ts');
  const token = (): string => secrets.read('gitea-reviewer');
  const gitea = createGitea({ url, token, reviewerToken: null, log: silentLog });
  try {
    const { canPush } = await gitea.repo(slug);
    if (!canPush) output.warn(`the reviewer's account may only read ${slug}: its approval does not count`);
  } catch (error) {
    later(error, (text) => output.warn(`the reviewer's account cannot use ${slug}: ${text}`));
  }
}

function later(error: unknown, warn: (text: string) => void): Given {
  if (!(error instanceof OrchError)) throw error;
  warn(error.message);
  return {};
}

/** Group and colour of a state that is created; the colours are those Plane gives its own states of the group. */
const styles: Record<ItemPhase, { group: string; color: string }> = {
  in_progress: { group: 'started', color: '#F59E0B' },
  in_review: { group: 'started', color: '#8B5CF6' },
  needs_input: { group: 'started', color: '#3B82F6' },
  blocked: { group: 'started', color: '#EF4444' },
  done: { group: 'completed', color: '#46A758' },
  cancelled: { group: 'cancelled', color: '#9AA4BC' },
};

/** A state that a project lacks. */
export interface MissingState {
  policy: ProjectPolicy;
  phase: ItemPhase;
  name: string;
}

/** States that the configuration names and Plane does not have; two phases may share one. */
export async function missingStates(tracker: Tracker, config: Config): Promise<MissingState[]> {
  const missing: MissingState[] = [];
  for (const policy of config.projects) {
    const known = new Set((await tracker.states(policy.projectId)).map((state) => state.name.toLowerCase()));
    for (const phase of itemPhases) {
      const name = policy.states[phase];
      if (known.has(name.toLowerCase())) continue;
      known.add(name.toLowerCase());
      missing.push({ policy, phase, name });
    }
  }
  return missing;
}

export async function createStates({ tracker }: Pick<Parts, 'tracker'>, missing: MissingState[]): Promise<void> {
  for (const { policy, phase, name } of missing)
    await tracker.createState(policy.projectId, { name, ...styles[phase] });
}
