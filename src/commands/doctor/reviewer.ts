import type { Forge, ProjectPolicy, Protection } from '../../core/model/index.ts';
import { OrchError } from '../../core/model/index.ts';
import { createGitea } from '../../core/peers/gitea/gitea.ts';
import { silentLog } from '../../core/platform/log.ts';
import { bad, good, warning, type Finding, type Subject } from './finding.ts';

/** The second account by itself; null where none is configured. */
function secondAccount({ config, secrets, parts }: Subject): Forge | null {
  if (!config.gitea.reviewer || !secrets.has('gitea-reviewer')) return null;
  return createGitea({
    url: config.gitea.url,
    token: () => secrets.read('gitea-reviewer'),
    reviewerToken: null,
    timeouts: config.timeouts,
    network: parts.network,
    log: silentLog,
  });
}

/** Whether the second account is another one. */
export async function reviewer(subject: Subject): Promise<Finding[]> {
  const second = secondAccount(subject);
  if (second === null) return [];
  const [one, two] = await Promise.all([subject.parts.forge.me(), second.me()]);
  if (one.login !== two.login) return [good('reviewer', two.login)];
  return [
    bad(
      'reviewer',
      `is the same account as orch's own (${one.login})`,
      'An author cannot approve their own pull request: give the reviewer a token of another account.',
    ),
  ];
}

/** Whether the second account sees the repository, and whether its approval counts there. */
export async function reviewerOn(subject: Subject, policy: ProjectPolicy): Promise<Finding[]> {
  const second = secondAccount(subject);
  if (second === null) return [];
  const { login } = await second.me();
  const advice = `Give ${login} write access to the repository.`;
  const repo = await second.repo(policy.repo).catch((error: unknown) => {
    if (error instanceof OrchError && error.kind === 'refusal') return null;
    throw error;
  });
  if (repo === null) return [bad('reviewer', `${login} does not see ${policy.repo}`, advice)];
  if (repo.canPush) return [good('reviewer', `${login} may approve`)];
  const rule: Protection | null = await subject.parts.forge.protection(policy.repo, policy.baseBranch);
  const text = `${login} may only read ${policy.repo}: its approval does not count`;
  return [
    rule !== null && rule.requiredApprovals > 0 ? bad('reviewer', text, advice) : warning('reviewer', text, advice),
  ];
}
