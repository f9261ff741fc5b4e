import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeAgentScript } from '../../src/sandbox/agent/script.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import { recordMerge } from '../../src/sandbox/gitea/merge.ts';
import type { WorkItem } from '../../src/sandbox/plane/state.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { builtProgram } from './build.ts';
import { orchHost, tasksIn, type OrchHost } from './crash.ts';
import { startsOf, witnessed } from './witness.ts';

/** The sandbox and the built program on it, with people who do what they are asked. */
export interface CrashWorld {
  root: string;
  world: World;
  host: OrchHost;
  items: WorkItem[];
  addItem(): WorkItem;
  /** Answers what people were asked. */
  people(): void;
  /** Somebody asks for changes at a line of the newest pull request that is open, once for each; whether that one was asked. */
  object(): Promise<boolean>;
  /** How long every agent works from now on, milliseconds. */
  slow(ms: number): void;
  /** Task id, stage and hold, as a finished line shows them: `ET-001 done`. */
  tasks(): string[];
  /** Violations that the agents themselves saw. */
  seenByAgents(): string[];
  close(): Promise<void>;
}

const reviewerToken = 'b'.repeat(40);

/** @param worker the `worker` section of the configuration */
export async function startCrashWorld(worker: Record<string, unknown>): Promise<CrashWorld> {
  const root = mkdtempSync(path.join(tmpdir(), 'orch-crash-'));
  const script = (ms: number): string =>
    writeAgentScript(path.join(root, 'script'), { roles: { '*': [{ sleepMs: ms }] }, repeatLast: true });
  const agent = builtProgram('src/sandbox/agent/scripted-agent.ts');
  const agentCommand = witnessed(root, [process.execPath], agent);
  const world = await startWorld({ root, lagMs: 5, workerDelayMs: 5, agentCommand, agentScript: script(0) });
  startCi(world.gitea, world.repo, { decide: () => 'success' });
  world.accounts.reviewer.tokens.push({ value: reviewerToken, scopes: ['all'] });
  world.env['ORCH_GITEA_REVIEWER_TOKEN'] = reviewerToken;
  world.repo.allowManualMerge = true;
  // A kill is an interruption, and these tests have more of them than a night in production.
  Object.assign(world.config, { worker: { interruptions: 500, attempts: 100, ...worker }, caps: { runs: 2000 } });
  const host = orchHost(world, root);
  const items: WorkItem[] = [];
  const approved = new Set<string>();
  const objected = new Set<number>();
  return {
    root,
    world,
    host,
    items,
    addItem() {
      const item = world.plane.addItem(world.project, world.people.lead, {
        name: `A discount for case ${items.length + 1}`,
        description_html: '<p>Regular customers get ten percent off.</p>',
      });
      items.push(item);
      return item;
    },
    people() {
      approve(world, items, approved);
      if (tasksIn(host.database).some((task) => task.hold?.startsWith('merge_refused') === true)) closeCutOff(world);
    },
    async object() {
      const { gitea, repo, accounts } = world;
      const open = repo.pulls.findLast((pull) => pull.state === 'open');
      if (open === undefined) return false;
      if (objected.has(open.number)) return true;
      objected.add(open.number);
      const review = gitea.reviewAs(accounts.owner, repo, open, 'REQUEST_CHANGES', 'Please look at the line.');
      await gitea.remarkAs(accounts.owner, repo, open, review, { path: 'README.md', line: 1, body: 'Say more.' });
      return true;
    },
    slow: (ms) => void script(ms),
    tasks: () => tasksIn(host.database).map((task) => `${task.id} ${task.stage} ${task.hold ?? ''}`.trim()),
    seenByAgents: () => startsOf(root),
    async close() {
      await world.close();
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Every request for approval is answered once. */
function approve(world: World, items: WorkItem[], approved: Set<string>): void {
  for (const { externalId, issue } of [...world.plane.state.comments]) {
    const item = items.find(({ id }) => id === issue);
    if (item === undefined || externalId?.endsWith('/approval_wanted') !== true || approved.has(externalId)) continue;
    approved.add(externalId);
    world.plane.commentAs(world.people.lead, item, '<p>:approved:</p>');
  }
}

/**
 * A client that is killed while the server merges leaves a pull request open whose merge is on the base branch. orch
 * holds such a task and asks for a person; this is the person.
 */
function closeCutOff({ gitea, repo, accounts }: World): void {
  const log = execFileSync('git', ['-C', repo.dir, 'log', '--merges', '--format=%H %P', 'main'], { encoding: 'utf8' });
  for (const line of log.trim().split('\n')) {
    const [sha = '', , head = ''] = line.split(' ');
    const pull = repo.pulls.find((row) => row.merged === null && row.state === 'open' && row.headSha === head);
    if (pull !== undefined) recordMerge(gitea.state, pull, accounts.owner.login, sha);
  }
}
