import { setTimeout as sleep } from 'node:timers/promises';
import { listProcesses } from '../../src/core/platform/processes.ts';
import { letMergesRest, successes, tasksIn, usurp, type OrchProcess } from './crash.ts';
import type { CrashWorld } from './crash-world.ts';
import { operators, type Operators } from './operators.ts';
import { strikeAll, treesOf } from './processes.ts';
import { violationsNow } from './violations-queue.ts';

export interface Weather {
  signal: 'SIGKILL' | 'SIGSTOP';
  seed: number;
  items: number;
  /** The storm goes on, with more work if need be, until it has struck this often. */
  strikes: number;
  /** Strikes come in gusts of this many; between two of them some runs end well, so that every stage meets the storm. */
  gust: number;
  everyMs: number;
  limitMs: number;
  maxConcurrency: number;
  leaseMs: number;
  /** How long a poller is stopped so that the other one takes the lead; null: never. */
  longStopMs: number | null;
  /** Of a hundred moments, how many see somebody type a command; 0: nobody does. */
  commands: number;
}

export interface Aftermath {
  strikes: number;
  /** What was struck how often, for the report. */
  struck: Record<string, number>;
  /** Broken while everything ran. */
  broken: string[];
  /** Commands that people typed, and how often. */
  typed: Record<string, number>;
  /** What people cancelled, or tried to. */
  cancelled: Set<string>;
}

/** Repeatable random numbers, 0 ≤ n < 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Service {
  kind: 'poller' | 'worker';
  current: OrchProcess | null;
  done: Promise<void>;
}

/** A service that is started again as soon as it ends, as systemd would. */
function service(crash: CrashWorld, kind: Service['kind'], args: string[], stopped: () => boolean): Service {
  const made: Service = { kind, current: null, done: Promise.resolve() };
  made.done = (async () => {
    while (!stopped()) {
      made.current = crash.host.start(args);
      await made.current.ended;
    }
  })();
  return made;
}

interface Target {
  name: string;
  pids: number[];
  /** A stopped one of these is stopped for this long; null: as the dice say. */
  stopMs?: number;
  worker?: number;
}

type Dice = () => number;

function pick<T>(from: readonly T[], dice: Dice): T | undefined {
  return from[Math.floor(dice() * from.length)];
}

/** Poller, worker, a process of a run, a child of a service (git), a worker with all agents, or everything at once. */
function aim(crash: CrashWorld, services: Service[], weather: Weather, dice: Dice): Target | null {
  const pidOf = (one: Service | undefined): number[] => (one?.current == null ? [] : [one.current.pid]);
  const pollers = services.filter((one) => one.kind === 'poller');
  const workers = services.filter((one) => one.kind === 'worker');
  const trees = treesOf(crash.root);
  const chance = dice();
  if (chance < 0.2) {
    const long = weather.longStopMs !== null && dice() < 0.05 ? { stopMs: weather.longStopMs } : {};
    return { name: 'poller', pids: pidOf(pick(pollers, dice)), ...long };
  }
  if (chance < 0.5) {
    const [pid = 0] = pidOf(pick(workers, dice));
    return { name: 'worker', pids: [pid], worker: pid };
  }
  if (chance < 0.75) {
    const one = pick(trees, dice);
    return one === undefined ? null : { name: 'process of a run', pids: [one] };
  }
  if (chance < 0.85) {
    const own = services.flatMap(pidOf);
    const child = pick(
      listProcesses().filter((info) => own.includes(info.ppid) && !trees.includes(info.pid)),
      dice,
    );
    return child === undefined ? null : { name: 'child of a service', pids: [child.pid] };
  }
  if (chance < 0.95) return { name: 'worker with all agents', pids: [...pidOf(pick(workers, dice)), ...trees] };
  return { name: 'everything', pids: [...services.flatMap(pidOf), ...trees] };
}

/** Stopped for a moment, or for longer than a lease holds; a worker then may find its leases gone. */
function stopFor(crash: CrashWorld, target: Target, pids: number[], weather: Weather, dice: Dice): void {
  const beyond = dice() < 0.3;
  const ms = target.stopMs ?? (beyond ? weather.leaseMs * (1.2 + dice()) : 300 + 1_200 * dice());
  if (beyond && target.worker !== undefined) usurp(crash.host.database, target.worker);
  setTimeout(() => strikeAll(pids, 'SIGCONT'), ms).unref();
}

/** Runs of a task that nothing disturbs. */
const runsOfTask = 6;
const maxLullMs = 60_000;

/** Whether it is calm now: after each gust until the work has gone on by as much as the gust is of the storm. */
function lulls(crash: CrashWorld, weather: Weather): (strikes: number) => boolean {
  const step = Math.ceil((weather.items * runsOfTask * weather.gust) / weather.strikes);
  let gusts = 0;
  let until = { successes: 0, at: 0 };
  return (strikes) => {
    if (Math.floor(strikes / weather.gust) > gusts) {
      gusts = Math.floor(strikes / weather.gust);
      until = { successes: successes(crash.host.database) + step, at: Date.now() + maxLullMs };
    }
    return Date.now() < until.at && successes(crash.host.database) < until.successes;
  };
}

/** Strikes until there were enough strikes and all work is done, then brings what is left to its end in calm weather. */
export async function rage(crash: CrashWorld, weather: Weather): Promise<Aftermath> {
  const dice = randomFrom(weather.seed);
  const people = operators(crash, randomFrom(weather.seed + 1));
  const { typed, cancelled } = people;
  const aftermath: Aftermath = { strikes: 0, struck: {}, broken: [], typed, cancelled };
  let stop = false;
  const schedule = ['serve-poller', '--schedule', '* * * * * *'];
  const services = [
    ...[1, 2].map(() => service(crash, 'poller', schedule, () => stop)),
    ...[1, 2].map(() => service(crash, 'worker', ['run-worker'], () => stop)),
  ];
  const calmNow = lulls(crash, weather);
  const started = Date.now();
  let said = started;
  while (Date.now() - started < weather.limitMs) {
    crash.people();
    const states = tasksIn(crash.host.database);
    const done = states.filter(isOver).length;
    if (aftermath.strikes < weather.strikes && dice() * 100 < weather.commands) people.type();
    if (aftermath.strikes >= weather.strikes && weather.commands > 0) await people.tidy();
    const finished = states.length === crash.items.length && done === states.length;
    if (finished && aftermath.strikes >= weather.strikes) break;
    if (finished) crash.addItem();
    if (aftermath.strikes < weather.strikes && (finished || !calmNow(aftermath.strikes)))
      strike(crash, services, weather, dice, aftermath);
    aftermath.broken.push(...violationsNow(crash.host.database, weather.maxConcurrency));
    if (Date.now() - said >= 30_000) {
      said = Date.now();
      const seconds = Math.round((said - started) / 1000);
      progress(weather, `${aftermath.strikes} strikes, ${done} of ${states.length} tasks done, ${seconds} s`);
    }
    await sleep(weather.everyMs);
  }
  stop = true;
  strikeAll(
    services.map((one) => one.current?.pid ?? 0).filter((pid) => pid > 0),
    'SIGKILL',
  );
  strikeAll(treesOf(crash.root), 'SIGCONT');
  await Promise.all(services.map((one) => one.done));
  await people.settled();
  await calm(crash, people);
  aftermath.broken.push(...people.broken);
  return aftermath;
}

function isOver({ stage }: { stage: string }): boolean {
  return stage === 'done' || stage === 'cancelled';
}

export function progress(weather: Weather, text: string): void {
  process.stderr.write(`storm of ${weather.signal}, seed ${weather.seed}: ${text}\n`);
}

function strike(crash: CrashWorld, services: Service[], weather: Weather, dice: Dice, aftermath: Aftermath): void {
  const target = aim(crash, services, weather, dice);
  if (target === null) return;
  const pids = strikeAll(
    target.pids.filter((pid) => pid > 0),
    weather.signal,
  );
  if (pids.length === 0) return;
  aftermath.strikes += 1;
  aftermath.struck[target.name] = (aftermath.struck[target.name] ?? 0) + 1;
  if (weather.signal === 'SIGSTOP') stopFor(crash, target, pids, weather, dice);
}

/** Ticks and work in calm weather until nothing follows. */
async function calm(crash: CrashWorld, people: Operators): Promise<void> {
  for (let round = 0; round < 40; round += 1) {
    crash.people();
    if (round > 0) await people.tidy();
    letMergesRest(crash.host.database);
    await crash.host.run(['serve-poller', '--once']);
    await crash.host.run(['run-worker', '--until-empty']);
    const states = tasksIn(crash.host.database);
    if (states.length === crash.items.length && states.every(isOver)) break;
  }
  await crash.host.run(['serve-poller', '--once']);
}

/** What an operator would read about the tasks that are named, or that are not done. */
export async function explain(crash: CrashWorld, broken: string[]): Promise<string> {
  const named = broken.flatMap((line) => line.match(/ET-\d+/g) ?? []);
  const open = tasksIn(crash.host.database).filter((task) => !isOver(task));
  const ids = [...new Set([...named, ...open.map((task) => task.id)])].slice(0, 3);
  const texts = await Promise.all(
    ids.map(async (id) => `--- orch why ${id}\n${(await crash.host.run(['why', id, '-n', '25'])).stdout.slice(-4000)}`),
  );
  return [...broken, ...texts].join('\n');
}
