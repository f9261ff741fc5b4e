import type { CommitSha, Repository, ProjectPolicy } from '../../core/model/index.ts';
import { means } from '../../core/pipeline/gates/context-pattern.ts';
import { bad, check, good, together, warning, type Finding, type Subject } from './finding.ts';
import { protection } from './protection.ts';
import { reviewer, reviewerOn } from './reviewer.ts';
import { clockSkew } from './skew.ts';

/** The server, the account, and the second account where one is configured. */
export function giteaServer(subject: Subject): Promise<Finding[]> {
  const { forge } = subject.parts;
  return together([
    check('account', async () => good('account', (await forge.me()).login)),
    check('version', async () => good('version', await forge.version())),
    check('reviewer', () => reviewer(subject)),
    clockSkew('Gitea', `${subject.config.gitea.url}/api/v1/version`, subject),
  ]);
}

/** One repository: rights, git, the base branch with what protects it, and whether a CI reports. */
export async function giteaProject(subject: Subject, policy: ProjectPolicy): Promise<Finding[]> {
  const { forge } = subject.parts;
  let repo: Repository | null = null;
  const own = await check('repository', async () => {
    repo = await forge.repo(policy.repo);
    return repository(repo, policy);
  });
  if (repo === null) return own;
  const seen = reported(subject, policy);
  return [
    ...own,
    ...(await together([
      check('git', () => git(subject, policy)),
      check('reviewer', () => reviewerOn(subject, policy)),
      check('merge', async () => protection(subject, policy, repo as unknown as Repository, await seen)),
      check('CI', async () => ci(policy, await seen)),
    ])),
  ];
}

function repository(repo: Repository, policy: ProjectPolicy): Finding[] {
  const name = 'repository';
  const trouble: [boolean, string, string][] = [
    [repo.empty, 'is empty', `Push a first commit to ${policy.baseBranch}.`],
    [repo.archived, 'is archived', 'Unarchive it, or take the project out of the configuration.'],
    [repo.mirror, 'is a mirror and takes no pushes', 'Name the repository that people push to.'],
    [
      repo.isSha256,
      'keeps its objects as SHA-256',
      'Make it again with the object format SHA-1; orch works with no other.',
    ],
    [!repo.canPush, "may not be pushed to by orch's account", 'Give the account write access to the repository.'],
    [repo.slug !== policy.repo, `is now called ${repo.slug}`, 'Put the new name into the configuration.'],
  ];
  const found = trouble
    .filter(([wrong]) => wrong)
    .map(([, text, advice]) => bad(name, `${policy.repo} ${text}`, advice));
  return found.length > 0 ? found : [good(name, `${policy.repo}, orch may push`)];
}

/** git itself with the token, over the address that clones use: a proxy may treat it differently from the API. */
async function git({ parts, config }: Subject, policy: ProjectPolicy): Promise<Finding> {
  const heads = await parts.git.lsRemoteHeads(policy.repo);
  if (heads.has(policy.baseBranch)) return good('git', `${config.gitea.cloneUrl}, base branch ${policy.baseBranch}`);
  return bad('git', `there is no branch ${policy.baseBranch}`, 'Correct baseBranch of the project.');
}

/** Contexts that reported lately, and how many commits and pull requests were looked at. */
interface Reported {
  contexts: string[];
  commits: number;
  pulls: number;
}

/** Pull requests that are looked at in addition to the base branch. */
const maxPulls = 5;
/** Commits of each, newest first: orch's documents come last, and a CI may pass them over. */
const maxCommits = 4;
/** How far back, milliseconds: a CI that was switched off months ago must not count. */
const recentMs = 60 * 86_400_000;

async function reported({ parts }: Subject, policy: ProjectPolicy): Promise<Reported> {
  const { forge } = parts;
  const base = (await parts.git.lsRemoteHeads(policy.repo)).get(policy.baseBranch);
  const pulls = (await forge.pulls(policy.repo, Date.now() - recentMs, maxPulls)).slice(0, maxPulls);
  const ofPulls = await Promise.all(pulls.map(({ number }) => forge.pullCommits(policy.repo, number).catch(() => [])));
  const heads = pulls.map((pull) => pull.headSha);
  const behind = ofPulls.flatMap((shas) => shas.slice(0, maxCommits));
  const shas: CommitSha[] = [...new Set([...(base === undefined ? [] : [base]), ...heads, ...behind])];
  const rows = await Promise.all(shas.map((sha) => forge.statuses(policy.repo, sha)));
  const contexts = [...new Set(rows.flat().map((row) => row.context))].sort();
  return { contexts, commits: shas.length, pulls: pulls.length };
}

function ci(policy: ProjectPolicy, { contexts, commits, pulls }: Reported): Finding[] {
  if (policy.gates.development !== 'ci-green') {
    return [good('CI', `not asked: ${policy.tests.command.join(' ')} decides`)];
  }
  const missing = policy.ci.requiredContexts.filter((wanted) => !contexts.some((context) => means(wanted, context)));
  if (contexts.length === 0) {
    const where =
      pulls === 0
        ? `${policy.baseBranch}, and there is no recent pull request to look at`
        : `the ${commits} commits of ${policy.baseBranch} and the last pull requests that were looked at`;
    return [
      warning(
        'CI',
        `has not reported on ${where}`,
        'Set up a CI that reports commit statuses, or set gates.development to "tests-local".',
      ),
    ];
  }
  if (missing.length === 0) return [good('CI', contexts.join(', '))];
  return [
    warning('CI', `${missing.join(', ')} never reported; ${contexts.join(', ')} did`, 'Correct ci.requiredContexts.'),
  ];
}
