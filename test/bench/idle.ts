import Database from 'better-sqlite3';
import { taskIdOf, type HoldCause, type TaskId } from '../../src/core/model/index.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import type { Repo } from '../../src/sandbox/gitea/state.ts';
import type { Project } from '../../src/sandbox/plane/state.ts';
import { drive, type Driver } from '../support/line.ts';
import { goodText } from '../support/plane-side.ts';
import { until } from '../support/until.ts';
import { cloneTask, type Site } from './clone-task.ts';
import { figure, median } from './numbers.ts';
import type { Aim, BenchContext, Section } from './section.ts';
import { commitsIn, emptyLog } from './wal.ts';

/** Tasks of each project whose head waits for CI; they have a pull request, the others wait for an approval. */
const awaitingCi = 2;
const warmUp = 3;

interface Counts {
  plane: number;
  lsRemotes: number;
  lists: number;
  statuses: number;
  otherGitea: number;
  writes: number;
  ms: number;
}

/** (c) What a tick costs in which nothing is new. */
export async function idle({ form, folder, say }: BenchContext): Promise<Section> {
  const world = await startWorld({ root: folder, lagMs: 5, workerDelayMs: 5 });
  let line: Driver | null = null;
  try {
    const sites = await threeProjects(world);
    line = await drive(folder, world.config, world.env);
    await line.tick();
    for (const [n, site] of sites.entries()) {
      say(`tasks of ${site.project.identifier} come to where they wait`);
      await fill(world, line, site, Math.floor((form.trackedTasks + n) / sites.length));
    }
    for (let n = 0; n < warmUp; n += 1) await tick(world, line);
    const tracked = await line.app.store.tasks({ active: true });
    const ticks: Counts[] = [];
    for (let n = 0; n < form.idleTicks; n += 1) ticks.push(await tick(world, line));
    return report(sites.length, tracked.length, ticks);
  } finally {
    await line?.close();
    await world.close();
  }
}

async function threeProjects(world: World): Promise<Site[]> {
  const sites: Site[] = [{ project: world.project, repo: world.repo }];
  for (const [identifier, name] of [
    ['AB', 'store'],
    ['AC', 'stock'],
  ] as const) {
    const project = world.plane.addProject({ identifier, name }, world.people.lead);
    const files = { 'README.md': `# ${name}\n`, Makefile: 'test:\n\ttrue\n' };
    const repo = await world.gitea.addRepo({ owner: world.accounts.owner, name, files });
    world.gitea.grant(repo, world.accounts.bot, 'write');
    sites.push({ project, repo });
  }
  const own = (world.config['projects'] as Record<string, unknown>[])[0];
  world.config['projects'] = sites.map(({ project, repo }) => projectConfig(own, project, repo));
  return sites;
}

function projectConfig(own: Record<string, unknown> | undefined, project: Project, repo: Repo): object {
  return {
    ...own,
    planeProject: project.id,
    repo: `${repo.owner}/${repo.name}`,
    prefix: project.identifier,
    name: project.name,
    // Nobody reports: the head waits for CI for as long as this takes.
    pipelines: { coding: { stages: ['development', 'review'], label: 'coding' } },
  };
}

/** A few tasks go through the real line to where they wait; of the one that waits for an approval there are many more. */
async function fill(world: World, line: Driver, site: Site, wanted: number): Promise<void> {
  const add = (name: string, labels: string[]): TaskId => {
    const item = world.plane.addItem(site.project, world.people.lead, { name, description_html: goodText, labels });
    return taskIdOf(site.project.identifier, item.sequence);
  };
  const approval = add('A discount for regular customers', []);
  const coding = Array.from({ length: awaitingCi }, (_, n) => add(`Quantities add up, part ${n}`, ['coding']));
  await waits(line, approval, 'approval');
  for (const id of coding) await waits(line, id, 'ci');
  cloneTask(line.app.config.dbPath, site, world.plane.state.items, approval, wanted - 1 - awaitingCi);
}

async function waits(line: Driver, id: TaskId, cause: HoldCause): Promise<void> {
  await line.until(`the hold ${cause}`, id, (row) => row.task.hold?.cause === cause);
}

async function tick(world: World, line: Driver): Promise<Counts> {
  const { plane, gitea } = world;
  await until('the background worker of Plane', () => plane.state.worker.timers.size === 0, 10_000, 2);
  const from = { plane: plane.requests.length, gitea: gitea.requests.length };
  const db = new Database(line.app.config.dbPath);
  emptyLog(db);
  const startedAt = performance.now();
  const { problems } = await line.tick();
  const ms = performance.now() - startedAt;
  const writes = commitsIn(db);
  db.close();
  if (problems[0] !== undefined) throw problems[0].error;
  const asked = gitea.requests.slice(from.gitea);
  const lsRemotes = asked.filter((request) => request.includes('/info/refs')).length;
  const api = asked.filter((request) => request.includes('/api/'));
  const lists = api.filter((request) => /^GET \S+\/pulls\?/.test(request)).length;
  const statuses = api.filter((request) => /\/commits\/[0-9a-f]{40}\/status/.test(request)).length;
  const otherGitea = api.length - lists - statuses;
  return { plane: plane.requests.length - from.plane, lsRemotes, lists, statuses, otherGitea, writes, ms };
}

function report(projects: number, tracked: number, ticks: Counts[]): Section {
  const most = (part: keyof Counts): number => Math.max(...ticks.map((counts) => counts[part]));
  const heads = projects * awaitingCi;
  const aim = (what: string, aimed: number, measured: number): Aim => ({
    what: `Idle tick, ${figure(tracked)} tasks: ${what}`,
    aim: `≤ ${aimed}`,
    measured: String(measured),
    met: measured <= aimed,
    missedBy: measured <= aimed ? '' : `${measured - aimed} more`,
    why: 'The tick with the most of them is counted.',
  });
  return {
    title: 'An idle tick',
    text: [
      `${figure(tracked)} tasks in ${projects} projects, each with a repository of its own: ${heads} have a pull request and wait for CI, the ` +
        `others wait for an approval. One of each kind went through the line on the sandbox, the rest are copies of the one that waits ` +
        `for a person, with branches and work items of their own. Counted at the sandbox’s servers over ${ticks.length} ticks, the most of ` +
        'one tick; writes are the committed transactions in SQLite’s log. The look at ten tasks one by one every five minutes, for ' +
        'comments that Plane lost, falls between these ticks.',
    ],
    tables: [
      {
        head: ['', 'requests or writes in one tick'],
        rows: [
          ['Plane', String(most('plane'))],
          ['git ls-remote', String(most('lsRemotes'))],
          ['Gitea, lists of pull requests', String(most('lists'))],
          ['Gitea, statuses of a head', String(most('statuses'))],
          ['Gitea, anything else', String(most('otherGitea'))],
          ['database transactions', String(most('writes'))],
          ['milliseconds, median', figure(median(ticks.map(({ ms }) => ms)))],
        ],
      },
    ],
    aims: [
      aim('Plane requests, one a project', projects, most('plane')),
      aim('ls-remotes, one a repository', projects, most('lsRemotes')),
      aim('Gitea lists, one a repository', projects, most('lists')),
      aim('Gitea statuses, one a head awaiting CI', heads, most('statuses')),
      aim('anything else at Gitea', 0, most('otherGitea')),
      aim('database writes', 1, most('writes')),
    ],
  };
}
