import type { Protection, Repository, ProjectPolicy } from '../../core/model/index.ts';
import { means } from '../../core/pipeline/gates/context-pattern.ts';
import { bad, good, warning, type Finding, type Subject } from './finding.ts';

/** What would refuse the merge at the end of the line, said before the first task gets there. */
export async function protection(
  { parts, config }: Subject,
  policy: ProjectPolicy,
  repo: Repository,
  seen: { contexts: string[] },
): Promise<Finding[]> {
  const { baseBranch, deploy } = policy;
  const findings: Finding[] = [];
  if (deploy.merge === 'orch' && !repo.mergeStyles.includes(deploy.mergeStyle)) {
    const allowed = repo.mergeStyles.join(', ') || 'none';
    findings.push(
      bad(
        'merge',
        `the repository does not allow "${deploy.mergeStyle}"`,
        `Set deploy.mergeStyle to one of: ${allowed}.`,
      ),
    );
  }
  const rule = await parts.forge.protection(policy.repo, baseBranch);
  // A missing branch is reported by the check of git.
  if (rule?.protected === true) {
    findings.push(...rights(rule, policy), ...approvals(rule, policy, config.gitea.reviewer));
    findings.push(...contexts(rule, policy, seen.contexts));
  }
  if (findings.length > 0) return findings;
  const text =
    rule?.protected === true ? `${baseBranch} is protected, and orch may merge` : `${baseBranch} is not protected`;
  return [good('merge', text)];
}

function rights(rule: Protection, { deploy, baseBranch }: ProjectPolicy): Finding[] {
  if (rule.canMerge || deploy.merge === 'agent') return [];
  const text = `the protection of ${baseBranch} does not let orch's account merge`;
  return [bad('merge', text, 'Add the account to the people who may merge, or set deploy.merge to "agent".')];
}

/** An author cannot approve their own pull request, so orch's own account gives none (spec 5). */
function approvals(rule: Protection, policy: ProjectPolicy, second: boolean): Finding[] {
  const wanted = rule.requiredApprovals;
  const byPeople = policy.gates.review.includes('pr-approved');
  const given = second ? 1 : 0;
  if (wanted <= given || (byPeople && wanted > 0)) return [];
  const text = `the protection of ${policy.baseBranch} wants ${wanted} approval${wanted === 1 ? '' : 's'}, orch gives ${given === 0 ? 'none' : given}`;
  const people = 'set gates.review to ["reviewer-verdict", "pr-approved"] so that people are waited for';
  const advice = second
    ? `Lower it, or ${people}.`
    : `Set ORCH_GITEA_REVIEWER_TOKEN to a second account, or ${people}.`;
  return [bad('merge', text, advice)];
}

/** Required contexts are patterns on the server; a plain name has to report itself. */
function contexts(rule: Protection, policy: ProjectPolicy, seen: string[]): Finding[] {
  if (!rule.statusCheck || rule.contexts.length === 0) return [];
  if (policy.gates.development === 'tests-local') {
    const text = `the protection of ${policy.baseBranch} wants a CI (${rule.contexts.join(', ')}), orch asks the local tests`;
    return [
      warning('merge', text, 'Set gates.development to "ci-green", or take the status check out of the protection.'),
    ];
  }
  const counted = policy.ci.requiredContexts.length > 0 ? policy.ci.requiredContexts : seen;
  const missing = rule.contexts.filter((wanted) => !counted.some((name) => means(wanted, name)));
  if (missing.length === 0) return [];
  const text =
    policy.ci.requiredContexts.length > 0
      ? `the protection of ${policy.baseBranch} also wants ${missing.join(', ')}`
      : `the protection of ${policy.baseBranch} wants ${missing.join(', ')}, which never reported`;
  return [warning('merge', text, `Add ${missing.join(', ')} to ci.requiredContexts, or correct the protection.`)];
}
