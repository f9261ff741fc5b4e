import type { CrashWorld } from './crash-world.ts';
import { tasksIn } from './crash.ts';

// People at a terminal in the middle of a storm: they type what they please, at any moment.

/** What they type, and how often of a hundred times. */
const habits: [string, number][] = [
  ['retry', 30],
  ['advance', 20],
  ['pause', 12],
  ['resume', 22],
  ['recover', 12],
  ['cancel', 4],
];

export interface Operators {
  /** Types something about a task that the dice choose; does not wait for the answer. */
  type(): void;
  /** Waits until every command has answered. */
  settled(): Promise<void>;
  /** Takes back every pause and lifts what holds a task, as somebody would the morning after. */
  tidy(): Promise<void>;
  /** Commands by name and how often. */
  typed: Record<string, number>;
  /** What an answer must never be. */
  broken: string[];
  cancelled: Set<string>;
}

/** @param dice repeatable random numbers, 0 ≤ n < 1 */
export function operators(crash: CrashWorld, dice: () => number): Operators {
  const running = new Set<Promise<void>>();
  const made: Operators = { type, settled, tidy, typed: {}, broken: [], cancelled: new Set() };

  function habit(): string {
    let left = dice() * 100;
    return habits.find(([, share]) => (left -= share) < 0)?.[0] ?? 'recover';
  }

  async function ask(args: string[]): Promise<void> {
    const answer = await crash.host.run(args);
    const said = `${answer.stdout}${answer.stderr}`;
    // Somebody may have been faster, or the database is busy: every other answer is a word to a person.
    if (said.includes('defect in orch') || answer.code === null || answer.code === 70)
      made.broken.push(`orch ${args.join(' ')} answered ${String(answer.code)}: ${said.slice(0, 500)}`);
  }

  function type(): void {
    const open = tasksIn(crash.host.database).filter(({ stage }) => !['done', 'cancelled'].includes(stage));
    const task = open[Math.floor(dice() * open.length)];
    const name = habit();
    if (task === undefined && name !== 'recover') return;
    made.typed[name] = (made.typed[name] ?? 0) + 1;
    if (name === 'cancel' && task !== undefined) made.cancelled.add(task.id);
    const answered = ask(name === 'recover' || task === undefined ? [name] : [name, task.id]).finally(() =>
      running.delete(answered),
    );
    running.add(answered);
  }

  async function settled(): Promise<void> {
    await Promise.all(running);
  }

  async function tidy(): Promise<void> {
    for (const { id, stage, blocking, paused } of tasksIn(crash.host.database)) {
      if (['done', 'cancelled'].includes(stage)) continue;
      if (paused) await ask(['resume', id]);
      if (blocking) await ask(['retry', id]);
    }
  }

  return made;
}
