import { execFile, execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { createGit } from '../../src/core/git/git.ts';
import { createWorkspaces } from '../../src/core/git/workspaces.ts';
import type { RepoSlug } from '../../src/core/model/index.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { commitTo, fileOf, makeBigRepository } from '../support/big-repository.ts';
import { figure, median, pairedRatio } from './numbers.ts';
import type { Aim, BenchContext, Section } from './section.ts';

const repo = 'acme/shop' as RepoSlug;
const identity = { name: 'bench', email: 'bench@example.org' };
const branches = { orch: 'feature/ET-001-orch', git: 'feature/ET-002-git' };
const aimedRatio = 2;
const aimedGrowth = 3;
const whyRatio =
  'orch starts 14 processes where plain git has four, and at few files a process is nearly all that either costs: it does not let the ' +
  'agent’s `.git` say what is published, looks for work that is not pushed, clears what was left, and commits with an index of its own.';
const whyGrowth =
  'Both grow with the number of files that are compared with an index; the table shows how much plain git grows.';
type Who = keyof typeof branches;

/** What one side took in each round. */
interface Taken {
  ms: number[];
  cpuMs: number[];
  processes: number[];
}

interface Side {
  /** Brings the branch up to date and checked out, then commits what `work` changes in the folder. */
  run(work: (folder: string) => void): Promise<void>;
  /** Pushes the commit; not measured. */
  publish(): void;
}

interface Measured {
  files: number;
  orch: Taken;
  git: Taken;
}

/** (a) What a run costs beside its agent: prepare and commit, against plain git in a kept worktree. */
export async function runCost({ form, folder, say }: BenchContext): Promise<Section> {
  const measured: Measured[] = [];
  for (const [at, { files, historyMegabytes }] of form.repositories.entries()) {
    say(`${files} files, ${historyMegabytes} MB of history`);
    measured.push(await measure(path.join(folder, String(at)), files, historyMegabytes, form.rounds));
  }
  return report(measured);
}

async function measure(folder: string, files: number, historyMegabytes: number, rounds: number): Promise<Measured> {
  const server = path.join(folder, 'server', `${repo}.git`);
  await makeBigRepository(server, { files, historyMegabytes, foreign: 0 });
  const sides = { orch: orchSide(folder), git: gitSide(folder, server) };
  const taken: Record<Who, Taken> = { orch: nothing(), git: nothing() };
  for (let round = 0; round <= rounds; round += 1) {
    const order: Who[] = round % 2 === 0 ? ['orch', 'git'] : ['git', 'orch'];
    for (const who of order) {
      commitTo(server, branches[who], fileOf(1), `the newest of round ${round}\n`);
      const one = await timed(sides[who], round);
      sides[who].publish();
      // The first round clones: that is paid once.
      if (round === 0) continue;
      taken[who].ms.push(one.ms);
      taken[who].cpuMs.push(one.cpuMs);
      taken[who].processes.push(one.processes);
    }
  }
  return { files, ...taken };
}

function nothing(): Taken {
  return { ms: [], cpuMs: [], processes: [] };
}

async function timed(side: Side, round: number): Promise<{ ms: number; cpuMs: number; processes: number }> {
  let processes = 0;
  const count = (): void => void (processes += 1);
  subscribe('orch:git', count);
  const [from, cpu] = [performance.now(), cpuMs()];
  await side.run((folder) => appendFileSync(path.join(folder, fileOf(2)), `a line of round ${round}\n`));
  const taken = { ms: performance.now() - from, cpuMs: cpuMs() - cpu, processes };
  unsubscribe('orch:git', count);
  return taken;
}

/** Processor time of this process and of its children that have ended, ms: user and system. */
function cpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
  return ticks * 10;
}

function orchSide(folder: string): Side {
  const git = createGit({
    reposDir: path.join(folder, 'repos'),
    remoteUrl: (slug) => `file://${path.join(folder, 'server', slug)}.git`,
    token: () => 'none',
    identity,
    timeouts: { gitMs: 600_000, transferMs: 600_000 },
    log: silentLog,
  });
  const limits = { fileBytes: 10_000_000, totalBytes: 50_000_000 };
  const workspaces = createWorkspaces({
    workspacesDir: path.join(folder, 'workspaces'),
    git,
    identity,
    limits,
    log: silentLog,
  });
  const branch = branches.orch;
  let [round, made] = [0, ''];
  return {
    async run(work) {
      const { path: ws, head } = await workspaces.prepare(repo, branch, 'main');
      work(ws);
      const request = { repo, branch, base: head, baseBranch: 'main', allowed: () => true };
      const message = `feat: round ${(round += 1)}\n`;
      const patchFile = path.join(folder, 'run', 'out.patch');
      const { sha, committed } = await workspaces.commit({ ...request, message, patchFile });
      if (!committed) throw new Error('nothing was committed');
      made = sha;
    },
    publish() {
      const bare = git.bare.pathOf(repo);
      const url = path.join(folder, 'server', `${repo}.git`);
      execFileSync('git', ['--git-dir', bare, 'push', '--quiet', url, `${made}:refs/heads/${branch}`], {
        stdio: 'pipe',
      });
      execFileSync('git', ['--git-dir', bare, 'update-ref', `refs/orch/pushed/${made}`, made]);
    },
  };
}

/** Plain git as somebody uses it who keeps the worktree. */
function gitSide(folder: string, server: string): Side {
  const place = path.join(folder, 'plain');
  const branch = branches.git;
  const call = async (...args: string[]): Promise<void> => {
    const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
    const named = ['-c', `user.name=${identity.name}`, '-c', `user.email=${identity.email}`, '-c', 'gc.auto=0'];
    await promisify(execFile)('git', [...named, ...args], { env });
  };
  return {
    async run(work) {
      if (!existsSync(place)) await call('clone', '--quiet', `file://${server}`, place);
      const steps = [
        ['fetch', '--quiet', 'origin'],
        ['checkout', '--quiet', '-B', branch, `origin/${branch}`],
      ];
      for (const step of steps) await call('-C', place, ...step);
      work(place);
      await call('-C', place, 'add', '--all');
      await call('-C', place, 'commit', '--quiet', '-m', 'feat: x');
    },
    publish: () => void execFileSync('git', ['-C', place, 'push', '--quiet', 'origin', branch], { stdio: 'pipe' }),
  };
}

function report(measured: Measured[]): Section {
  const aims: Aim[] = measured.map(({ files, orch, git }) => {
    const ratio = pairedRatio(orch.ms, git.ms);
    return {
      what: `Prepare and commit at ${figure(files)} files, against plain git in a kept worktree`,
      aim: `≤ ${aimedRatio} ×`,
      measured: `${figure(ratio)} ×`,
      met: ratio <= aimedRatio,
      missedBy: ratio <= aimedRatio ? '' : `${figure(ratio / aimedRatio)} ×`,
      why: whyRatio,
    };
  });
  const [first, last] = [measured[0], measured.at(-1)];
  const growth = median(last?.orch.ms ?? []) / median(first?.orch.ms ?? []);
  aims.push({
    what: `Prepare and commit at ${figure(last?.files ?? 0)} files, against ${figure(first?.files ?? 0)} files`,
    aim: `≤ ${aimedGrowth} ×`,
    measured: `${figure(growth)} ×`,
    met: growth <= aimedGrowth,
    missedBy: growth <= aimedGrowth ? '' : `${figure(growth / aimedGrowth)} ×`,
    why: whyGrowth,
  });
  return {
    title: 'What a run costs beside its agent',
    text: [
      'One run after the other on one branch to which somebody has committed in between: orch prepares the workspace and commits one ' +
        'changed line; plain git does `fetch`, `checkout`, `add --all` and `commit` in a worktree that stays. Both from a repository on ' +
        'the same disk, in turns, the clone and the push left out. Processes are those that are started, without git’s own.',
    ],
    tables: [
      {
        head: [
          'files',
          'orch, ms',
          'git, ms',
          'ratio',
          'orch, CPU ms',
          'git, CPU ms',
          'ratio',
          'git processes of orch',
        ],
        rows: measured.map(rowOf),
      },
    ],
    aims,
  };
}

function rowOf({ files, orch, git }: Measured): string[] {
  const both = (of: 'ms' | 'cpuMs'): string[] => [
    figure(median(orch[of])),
    figure(median(git[of])),
    figure(pairedRatio(orch[of], git[of])),
  ];
  return [figure(files), ...both('ms'), ...both('cpuMs'), figure(median(orch.processes))];
}
