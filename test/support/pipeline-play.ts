import type {
  AgentResult,
  Job,
  MessageOf,
  ProjectPolicy,
  Published,
  Role,
  RunOutcome,
} from '../../src/core/model/index.ts';
import { answersCheck } from '../../src/core/model/index.ts';
import type { MemoryState } from './memory-store.ts';
import { claim, laneHeads, liveJob, observe, post, settleEffect, wake } from './memory-store.ts';
import type { WorldState } from './pipeline-world.ts';
import { carryOut, codeOf, folder, look, merge, openPull, push, rewrite } from './pipeline-world.ts';
import { branch, comment, minute, outcome, ran } from './snapshots.ts';

export interface Game {
  world: WorldState;
  state: MemoryState;
  policy: ProjectPolicy;
}

type Step = (game: Game, choice: number) => void;

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

function end(game: Game, job: Job, over: Partial<MessageOf<'run_finished'>>, state: Job['state']): void {
  const run = game.state.run;
  job.state = state;
  game.state.run = null;
  const body = ran({ jobId: job.id, jobKind: job.kind, role: job.role, visit: job.visit, published: null, ...over });
  post(game.state, `run:${run?.id ?? ''}`, { ...body, runId: run?.id ?? body.runId }, game.world.now);
}

/** Work is published only on top of what the run started from; the branch of a merged round is made anew. */
function publish(game: Game, files: Record<string, string>): Published | null {
  const { world, state } = game;
  const start = state.run?.baseSha ?? null;
  if (start === null || world.down) return null;
  if (Object.keys(files).length === 0) return { sha: start, committed: false, outOfScope: [] };
  if (world.heads[branch] === undefined && state.task.mergedSha !== null) world.heads[branch] = start;
  if (world.heads[branch] !== start) return null;
  const sha = push(world, files);
  return sha === null ? null : { sha, committed: true, outOfScope: [] };
}

function succeed(game: Game, job: Job, choice: number): void {
  const { world, policy } = game;
  if (job.kind === 'check') return endCheck(game, job, choice);
  const [files, said] = pick(works[job.role], choice)(world.serial);
  if (job.role === 'deployer' && said === 'success' && policy.deploy.merge === 'agent') {
    const open = openPull(world);
    if (open !== undefined && !world.refuses) merge(world, open);
  }
  if (job.role === 'developer' && choice % 3 === 0) world.conflict = false;
  const published = publish(game, files);
  const result: AgentResult | null = said === null ? null : { status: said, summary: 'said', rolledBack: null };
  const notPublished = published === null ? { notPublished: 'the branch moved' } : {};
  end(game, job, { published, outcome: outcome({ result }), ...notPublished }, published === null ? 'failed' : 'done');
}

function endCheck(game: Game, job: Job, choice: number): void {
  const codeTree = job.cause.slice('check:'.length).split('#')[0] ?? '';
  const passed = choice % 3 !== 1;
  const answered = choice % 3 !== 2;
  if (answered) game.state.checks.unshift({ codeTree, passed, detail: 'exit status', tail: 'not ok' });
  const failure: Partial<RunOutcome> = { kind: 'own_fault', cause: answered ? 'exit_status' : 'workspace_diverged' };
  const over = passed && answered ? {} : ({ exhausted: 'attempts', outcome: outcome(failure) } as const);
  end(game, job, over, passed ? 'done' : 'failed');
}

const failures: [Partial<RunOutcome>, NonNullable<MessageOf<'run_finished'>['exhausted']>][] = [
  [{ kind: 'own_fault', cause: 'exit_status' }, 'attempts'],
  [{ kind: 'timeout', cause: 'wall' }, 'attempts'],
  [{ kind: 'transient', cause: 'overloaded' }, 'transient'],
  [{ kind: 'interrupted', cause: 'host' }, 'interruptions'],
  [{ kind: 'own_fault', cause: 'agent_alive' }, 'refused'],
];

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
  start(game) {
    claim(game.state, game.world.heads[branch] ?? game.state.task.mergedSha, game.world.now);
  },
  finish(game, choice) {
    const job = liveJob(game.state);
    if (job?.state !== 'running') return;
    // A run that is asked to stop may have ended well just before.
    if (job.cancelRequested && choice % 4 !== 0)
      return end(game, job, { exhausted: 'cancelled', outcome: outcome({ kind: 'cancelled' }) }, 'cancelled');
    succeed(game, job, choice);
  },
  fail(game, choice) {
    const job = liveJob(game.state);
    if (job?.state !== 'running') return;
    const [over, exhausted] = pick(failures, choice);
    const codeTree = job.cause.slice('check:'.length).split('#')[0] ?? '';
    if (job.kind === 'check' && answersCheck(outcome(over)))
      game.state.checks.unshift({ codeTree, passed: false, detail: 'failed', tail: '' });
    end(game, job, { exhausted, outcome: outcome(over), unpushed: choice % 2 === 0 }, 'failed');
  },
  /** A passing fault or a dead worker: the same job again, later. */
  again(game) {
    const job = liveJob(game.state);
    if (job?.state !== 'running') return;
    game.state.run = null;
    job.state = job.cancelRequested ? 'cancelled' : 'delayed';
    job.availableAt = game.world.now + 20_000;
    wake(game.state);
  },
  deliver(game, choice) {
    const effect = pick(laneHeads(game.state), choice);
    if (effect === undefined) return;
    const delivery = carryOut(game.world, effect, game.policy);
    // Sent, but the sender died before it wrote that down: it is sent again later.
    if (choice % 7 === 6) return;
    settleEffect(game.state, effect, delivery, game.world.now);
  },
  refuse(game, choice) {
    const effect = pick(laneHeads(game.state), choice);
    if (effect === undefined || effect.body.kind === 'gitea.merge') return;
    settleEffect(game.state, effect, { kind: 'dead', error: 'HTTP 400', result: {} }, game.world.now);
  },
  poll(game) {
    const { visit, prNumber } = game.state.task;
    observe(game.state, look(game.world, visit > 0, prNumber));
  },
  wake(game) {
    wake(game.state);
  },
  clock(game, choice) {
    game.world.now += pick([1000, minute, 15 * minute, 61 * minute, -60 * minute], choice);
  },
  comment(game, choice) {
    const { world, state } = game;
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
    post(state, `comment:c-${world.serial}`, body, world.now);
  },
  /** A message that came before comes again: a second poll, a worker that tells once more. */
  repeat(game, choice) {
    const known = pick(game.state.messages, choice);
    if (known !== undefined && post(game.state, known.sourceKey, known.body, game.world.now))
      throw new Error('a message was queued twice');
  },
  ci(game, choice) {
    const { world } = game;
    const head = world.heads[branch];
    if (head === undefined) return;
    world.serial += 1;
    const state = pick(['success', 'success', 'failure', 'pending', 'skipped'], choice);
    const row = { id: world.serial, context: pick(['test', 'lint'], choice), state, description: '', url: '' };
    world.statuses[head] = [...(world.statuses[head] ?? []), row];
  },
  review(game, choice) {
    const { world } = game;
    const open = openPull(world);
    if (open === undefined) return;
    world.serial += 1;
    const state = pick(['APPROVED', 'REQUEST_CHANGES', 'COMMENT', 'REQUEST_REVIEW'], choice);
    const row = { id: world.serial, user: pick(['anna', 'ben', 'orch'], choice), state, commit: open.headSha };
    const rows = world.reviews[open.number] ?? [];
    world.reviews[open.number] = [...rows, { ...row, dismissed: false, body: 'see', submittedAt: world.now }];
  },
  push(game, choice) {
    const files = choice % 2 === 0 ? { 'src/cart.ts': `by hand ${choice}` } : { [`${folder}/notes.md`]: `${choice}` };
    push(game.world, files);
  },
  branch(game, choice) {
    const { world } = game;
    if (choice % 3 === 0) rewrite(world);
    else if (choice % 3 === 1) delete world.heads[branch];
    else {
      const last = openPull(world)?.headSha ?? game.state.visits[game.state.task.visit]?.finished?.sha;
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
  command(game, choice) {
    const { world, state } = game;
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
    if (body.name === 'retry' && state.task.hold?.lift === 'redeliver') revive(state);
    post(state, `command:${world.serial}`, body, world.now);
  },
} satisfies Record<string, Step>;

export type StepName = keyof typeof steps;

/** `orch retry` makes refused effects deliverable again; a merge is asked for anew instead. */
export function revive(state: MemoryState): void {
  for (const effect of state.effects)
    if (effect.state === 'dead' && effect.body.kind !== 'gitea.merge') effect.state = 'pending';
}

/** The code that stands at the head of the task's branch. */
export function headCode(world: WorldState): string | null {
  const head = world.heads[branch];
  return head === undefined ? null : codeOf(world, head);
}
