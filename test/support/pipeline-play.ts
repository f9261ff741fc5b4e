import type {
  AgentResult,
  MessageBody,
  MessageOf,
  LinkedPolicy,
  Published,
  Role,
  RunningJob,
  RunOutcome,
  Settlement,
  Store,
  TaskRow,
} from '../../src/core/model/index.ts';
import type { MemoryStore } from './memory-database.ts';
import type { WorldState } from './pipeline-world.ts';
import { carryOut, codeOf, folder, look, merge, openPull, push, rewrite } from './pipeline-world.ts';
import { branch, comment, minute, outcome, ran, taskId } from './snapshots.ts';

export interface Game {
  world: WorldState;
  data: MemoryStore;
  policy: LinkedPolicy;
}

type Step = (game: Game, choice: number) => Promise<void> | void;

function pick<T>(from: readonly T[], choice: number): T {
  return from[choice % from.length] as T;
}

function front(key: string, value: string, serial: number): string {
  return `---\n${key}: ${value}\n---\nround ${serial}`;
}

/** What an agent of a role leaves: its files, and its own word. The first of each is good work. */
const works: Record<Role, ((serial: number) => [Record<string, string>, AgentResult['status'] | null])[]> = {
  analyst: [
    (n) => [documents(['01-brd.md', '02-trz.md', '03-acceptance-criteria.md', '04-test-plan.yaml'], `v${n}`), null],
    (n) => [{ [`${folder}/01-questions.md`]: `which? ${n}` }, null],
    () => [{}, null],
    (n) => [documents(['01-brd.md'], `v${n}`), null],
  ],
  architect: [
    (n) => [{ [`${folder}/06-adr/0001.md`]: `decision ${n}` }, null],
    (n) => [{ [`${folder}/10-conflict.md`]: `conflict ${n}` }, null],
    () => [{}, null],
  ],
  developer: [
    (n) => [{ 'src/cart.ts': `code ${n}` }, null],
    (n) => [{ [`${folder}/notes.md`]: `notes ${n}` }, 'nothing_to_do'],
    () => [{}, null],
  ],
  reviewer: [
    (n) => [{ [`${folder}/12-review.md`]: front('verdict', 'APPROVED', n) }, null],
    (n) => [{ [`${folder}/12-review.md`]: front('verdict', 'REQUEST_CHANGES', n) }, null],
    (n) => [{ [`${folder}/12-review.md`]: `| verdict | APPROVED | ${n}` }, null],
    () => [{}, null],
  ],
  tester: [
    (n) => [{ [`${folder}/13-test-report.md`]: front('result', 'PASS', n) }, null],
    (n) => [{ [`${folder}/13-test-report.md`]: front('result', 'FAIL', n) }, null],
    () => [{}, null],
  ],
  deployer: [() => [{}, 'success'], () => [{}, 'failed'], () => [{}, null]],
};

function documents(names: string[], text: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`${folder}/${name}`, `${name} ${text}`]));
}

export async function rowOf({ store }: MemoryStore): Promise<TaskRow> {
  const row = await store.task(taskId);
  if (row === null) throw new Error('the task is gone');
  return row;
}

async function post(game: Game, sourceKey: string, body: MessageBody): Promise<boolean> {
  return game.data.store.post({ taskId, sourceKey, body });
}

/** The job that runs, with its run; at most one, because all belong to one task. */
async function running({ data }: Game): Promise<RunningJob | null> {
  return (await data.store.runningJobs(null))[0] ?? null;
}

async function end(
  game: Game,
  { job, run, lease }: RunningJob,
  over: Partial<MessageOf<'run_finished'>>,
  state: 'done' | 'failed' | 'cancelled',
): Promise<void> {
  const said = ran({ jobId: job.id, jobKind: job.kind, role: job.role, visit: job.visit, published: null, ...over });
  const body = { ...said, runId: run.id };
  const next: Settlement['next'] = state === 'failed' ? { kind: state, error: 'it failed' } : { kind: state };
  await game.data.store.settle(lease, {
    outcome: body.outcome,
    publishedSha: body.published?.sha ?? null,
    next,
    message: { taskId, sourceKey: `run:${run.id}`, body },
  });
}

/** Work is published only on top of what the run started from; the branch of a merged round is made again. */
async function publish(game: Game, { run }: RunningJob, files: Record<string, string>): Promise<Published | null> {
  const { world } = game;
  const start = run.baseSha;
  if (start === null || world.down) return null;
  if (Object.keys(files).length === 0) return { sha: start, committed: false, outOfScope: [] };
  const { task } = await rowOf(game.data);
  if (world.heads[branch] === undefined && task.mergedSha !== null) world.heads[branch] = start;
  if (world.heads[branch] !== start) return null;
  const sha = push(world, files);
  return sha === null ? null : { sha, committed: true, outOfScope: [] };
}

async function succeed(game: Game, held: RunningJob, choice: number): Promise<void> {
  const { world, policy } = game;
  const { job } = held;
  if (job.kind === 'check') return endCheck(game, held, choice);
  const [files, said] = pick(works[job.role] ?? [], choice)(world.serial);
  if (job.role === 'deployer' && said === 'success' && policy.deploy.merge === 'agent') {
    const open = openPull(world);
    if (open !== undefined && !world.refuses) merge(world, open);
  }
  if (job.role === 'developer' && choice % 3 === 0) world.conflict = false;
  const published = await publish(game, held, files);
  const result: AgentResult | null = said === null ? null : { status: said, summary: 'said', rolledBack: null };
  const notPublished = published === null ? { notPublished: 'the branch moved' } : {};
  await end(
    game,
    held,
    { published, outcome: outcome({ result }), ...notPublished },
    published === null ? 'failed' : 'done',
  );
}

async function endCheck(game: Game, held: RunningJob, choice: number): Promise<void> {
  const passed = choice % 3 === 0;
  const answered = choice % 3 !== 2;
  const failure: Partial<RunOutcome> = { kind: 'own_fault', cause: answered ? 'exit_status' : 'workspace_diverged' };
  const over = passed ? {} : ({ exhausted: 'attempts', outcome: outcome(failure) } as const);
  await end(game, held, over, passed ? 'done' : 'failed');
}

const failures: [Partial<RunOutcome>, NonNullable<MessageOf<'run_finished'>['exhausted']>][] = [
  [{ kind: 'own_fault', cause: 'exit_status' }, 'attempts'],
  [{ kind: 'timeout', cause: 'wall_clock' }, 'attempts'],
  [{ kind: 'transient', cause: 'overloaded' }, 'transient'],
  [{ kind: 'interrupted', cause: 'signal' }, 'interruptions'],
  [{ kind: 'own_fault', cause: 'agent_alive' }, 'refused'],
];

type Sending = NonNullable<Awaited<ReturnType<Store['claimEffect']>>>;

/** Nobody loses a run or the lead in these games. */
const leaseMs = 365 * 24 * 60 * minute;
const sender = 'h1|boot|2|2';
/** Short, so that what a sender who died had in hand is soon given to another. */
const sendMs = 1000;

/** One of the effects that stand first in their lanes, claimed; the others go back. */
async function take({ data: { store } }: Game, choice: number): Promise<Sending | null> {
  const heads: Sending[] = [];
  for (;;) {
    const head = await store.claimEffect(sender, sendMs);
    if (head === null) break;
    heads.push(head);
  }
  if (heads.length === 0) return null;
  const taken = pick(heads, choice);
  for (const head of heads) if (head !== taken) await giveBack(store, head);
  return taken;
}

async function giveBack(store: Store, { effect, token }: Sending): Promise<void> {
  await store.settleEffect(effect.id, token, { kind: 'retry', error: 'not now', afterMs: 0 });
}

const people = [true, true, false];
const itemStates: [string, string][] = [
  ['In Progress', 'started'],
  ['Blocked', 'started'],
  ['Cancelled', 'cancelled'],
  ['Done', 'completed'],
  ['Needs Input', 'started'],
];

/** Everything that can happen around orch; one that does not fit now does nothing. */
export const steps = {
  async start(game) {
    const { store } = game.data;
    const claimed = await store.claim({ host: 'h1', owner: 'h1|boot|1|1', leaseMs: leaseMs, maxConcurrency: 1 });
    if (claimed === null) return;
    const baseSha = game.world.heads[branch] ?? claimed.task?.mergedSha ?? null;
    await store.patchRun(claimed.lease, { phase: 'running', ...(baseSha === null ? {} : { baseSha }) });
  },
  async finish(game, choice) {
    const held = await running(game);
    if (held === null) return;
    // A run that is asked to stop may have ended well just before.
    if (held.job.cancelRequested && choice % 4 !== 0)
      return end(game, held, { exhausted: 'cancelled', outcome: outcome({ kind: 'cancelled' }) }, 'cancelled');
    await succeed(game, held, choice);
  },
  async fail(game, choice) {
    const held = await running(game);
    if (held === null) return;
    const [over, exhausted] = pick(failures, choice);
    await end(game, held, { exhausted, outcome: outcome(over), unpushed: choice % 2 === 0 }, 'failed');
  },
  /** A passing fault or a dead worker: the same job again, later. */
  async again(game) {
    const held = await running(game);
    if (held === null) return;
    await game.data.store.settle(held.lease, {
      outcome: outcome({ kind: 'transient', cause: 'overloaded' }),
      publishedSha: null,
      next: { kind: 'again', availableAt: game.world.now + 20_000, spend: 'transient', error: 'overloaded' },
      message: null,
    });
  },
  async deliver(game, choice) {
    const sending = await take(game, choice);
    if (sending === null) return;
    const delivery = carryOut(game.world, sending.effect, game.policy);
    // Sent, but the sender died before it wrote that down: it is sent again later.
    if (choice % 7 === 6) return;
    const recorded = delivery.kind === 'retry' ? { ...delivery, afterMs: delivery.afterMs ?? 20_000 } : delivery;
    await game.data.store.settleEffect(sending.effect.id, sending.token, recorded);
  },
  async refuse(game, choice) {
    const { store } = game.data;
    const sending = await take(game, choice);
    if (sending === null) return;
    if (sending.effect.body.kind === 'forge.merge_pull') return giveBack(store, sending);
    await store.settleEffect(sending.effect.id, sending.token, { kind: 'dead', error: 'HTTP 400', result: {} });
  },
  async poll(game) {
    const { store } = game.data;
    const { visit, prNumber } = (await rowOf(game.data)).task;
    const leader = await store.acquireLease('poller', 'p1', leaseMs);
    if (leader === null) throw new Error('another poller leads');
    const mirrors = look(game.world, visit > 0, prNumber).map((mirror) => ({ taskId, mirror }));
    await store.observe({ leader, project: null, newTasks: [], mirrors, messages: [] });
  },
  wake: ({ data }) => data.wake(taskId),
  clock(game, choice) {
    game.world.now += pick([1000, minute, 15 * minute, 61 * minute, -60 * minute], choice);
  },
  async comment(game, choice) {
    const { world } = game;
    world.serial += 1;
    const marker = pick(
      [null, { kind: 'approved' } as const, { kind: 'approved' } as const, { kind: 'rejected', reason: 'no' } as const],
      choice,
    );
    const body = comment({
      commentId: `c-${world.serial}`,
      marker,
      allowed: pick(people, Math.floor(choice / 4)),
      updatedAt: world.now,
    });
    await post(game, `comment:c-${world.serial}`, body);
  },
  /** A message that came before comes again: a second poll, a worker that tells once more. Below 0: the last one. */
  async repeat(game, choice) {
    const [count] = game.data.rows<{ n: number }>('SELECT count(*) AS n FROM messages');
    if (count === undefined || count.n === 0) return;
    const at = choice < 0 ? count.n - 1 : choice % count.n;
    const [known] = game.data.rows<{ source_key: string; body: string }>(
      `SELECT source_key, body FROM messages ORDER BY id LIMIT 1 OFFSET ${at}`,
    );
    if (known !== undefined && (await post(game, known.source_key, JSON.parse(known.body) as MessageBody)))
      throw new Error('a message was queued twice');
  },
  ci(game, choice) {
    const { world } = game;
    const head = world.heads[branch];
    if (head === undefined) return;
    world.serial += 1;
    const state = pick(['passed', 'passed', 'failed', 'pending', 'skipped'] as const, choice);
    const row = { id: world.serial, context: pick(['test', 'lint'], choice), state, description: '', url: '' };
    world.statuses[head] = [...(world.statuses[head] ?? []), row];
  },
  review(game, choice) {
    const { world } = game;
    const open = openPull(world);
    if (open === undefined) return;
    world.serial += 1;
    const state = pick(['approved', 'changes_requested', 'commented', 'review_requested'] as const, choice);
    const row = { id: world.serial, user: pick(['anna', 'ben', 'orch'], choice), state, commit: open.headSha };
    const rows = world.reviews[open.number] ?? [];
    world.reviews[open.number] = [
      ...rows,
      { ...row, dismissed: false, counts: choice % 5 !== 4, body: 'see', submittedAt: world.now },
    ];
  },
  push(game, choice) {
    const files = choice % 2 === 0 ? { 'src/cart.ts': `by hand ${choice}` } : { [`${folder}/notes.md`]: `${choice}` };
    push(game.world, files);
  },
  async branch(game, choice) {
    const { world, data } = game;
    if (choice % 3 === 0) rewrite(world);
    else if (choice % 3 === 1) delete world.heads[branch];
    else {
      const last = openPull(world)?.headSha ?? (await data.store.load(taskId))?.visit?.finished?.sha;
      if (last != null) world.heads[branch] ??= last;
    }
  },
  pull(game, choice) {
    const last = game.world.pulls.at(-1);
    if (last === undefined || last.merged) return;
    if (choice % 3 === 0) last.state = 'closed';
    else if (choice % 3 === 1)
      Object.assign(last, { state: 'open', headSha: game.world.heads[branch] ?? last.headSha });
    else if (last.state === 'open' && choice % 5 === 0) merge(game.world, last);
  },
  item(game, choice) {
    const [stateName, stateGroup] = pick(itemStates, choice);
    const allowed = pick(people, Math.floor(choice / 5));
    Object.assign(game.world.item, { stateName, stateGroup, updatedBy: 'u-lead', updatedByAllowed: allowed });
    game.world.item.present = choice % 11 !== 10;
  },
  server(game, choice) {
    const { world } = game;
    if (choice % 3 === 0) world.down = !world.down;
    else if (choice % 3 === 1) world.conflict = !world.conflict;
    else world.refuses = !world.refuses;
  },
  async command(game, choice) {
    const { world, data } = game;
    world.serial += 1;
    const by = 'op';
    const body = pick(
      [
        { kind: 'command', name: 'retry', by },
        { kind: 'command', name: 'retry', by },
        { kind: 'command', name: 'pause', by },
        { kind: 'command', name: 'resume', by },
        { kind: 'command', name: 'advance', by, to: null, force: false },
        { kind: 'command', name: 'advance', by, to: null, force: true },
        { kind: 'command', name: 'run', by, role: 'developer' },
        { kind: 'command', name: 'cancel', by },
      ] as const,
      choice,
    );
    // As the command itself does it (src/commands/retry/retry.ts): what was refused is tried again.
    if (body.name === 'retry' && (await rowOf(data)).task.hold?.lift === 'redeliver')
      await data.store.reviveEffects(taskId);
    await post(game, `command:${world.serial}`, body);
  },
} satisfies Record<string, Step>;

export type StepName = keyof typeof steps;

/** The code that stands at the head of the task's branch. */
export function headCode(world: WorldState): string | null {
  const head = world.heads[branch];
  return head === undefined ? null : codeOf(world, head);
}
