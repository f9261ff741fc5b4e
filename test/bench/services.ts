import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/core/platform/files.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orchHost, tasksIn, type OrchHost, type OrchProcess } from '../support/crash.ts';
import { goodText } from '../support/plane-side.ts';
import { until } from '../support/until.ts';
import { earlierCommit, earlierProgram } from './earlier.ts';
import { figure, median, pairedRatio, quantile } from './numbers.ts';
import { localLine } from './own-time.ts';
import type { Aim, BenchContext, Section } from './section.ts';

/** Clock ticks of /proc/<pid>/stat a second (`getconf CLK_TCK`); 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;
const taskMs = 180_000;

/** What one contestant showed in one round. */
interface Sample {
  /** From the end of an agent to the start of the same task's next one, milliseconds. */
  gaps: number[];
  /** Processor time of both services and all they started, seconds a run. */
  cpuPerRun: number;
  /** How long the worker's event loop was kept from its timers, milliseconds. */
  stall: Stall;
}

interface Stall {
  p99: number;
  longest: number;
}

/**
 * (b), (d): the two services as processes of their own, with an agent that works in no time: how long the next agent is
 * waited for, and what a run costs in processor time.
 */
export async function services({ form, folder, say }: BenchContext): Promise<Section> {
  const earlier = await earlierProgram(say);
  const contestants = [{ name: 'orch', program: packageRoot(), samples: [] as Sample[] }];
  if (earlier !== null) contestants.push({ name: `orch ${earlierCommit}`, program: earlier, samples: [] });
  for (let round = 0; round < form.serviceRounds; round += 1) {
    for (const { name, program, samples } of contestants) {
      say(`round ${round + 1} of ${form.serviceRounds}: ${name}`);
      samples.push(await oneRound(path.join(folder, `${round}-${path.basename(program)}`), program, form.lines));
    }
  }
  return report(contestants);
}

async function oneRound(root: string, program: string, tasks: number): Promise<Sample> {
  mkdirSync(root, { recursive: true });
  const world = await startWorld({ root, agentCommand: ['sh', instantAgent(root)], lagMs: 5, workerDelayMs: 5 });
  localLine(world.config);
  // A new item is met within seconds; what a task waits for afterwards does not depend on it.
  Object.assign(world.config, { poll: { ...(world.config['poll'] as object), schedule: '*/5 * * * * *' } });
  const host = orchHost(world, root, program);
  // Items that are there at the first look are not begun by themselves.
  const first = await host.run(['serve-poller', '--once']);
  if (first.code !== 0) throw new Error(first.stderr);
  const stalls = path.join(root, 'stalls.json');
  const watched = { NODE_OPTIONS: `--import=${stallWatch(root, stalls)}` };
  const processes = [host.start(['serve-poller']), host.start(['run-worker'], watched)];
  let sample: Omit<Sample, 'stall'>;
  try {
    await throughTheLine(world, host, processes, 1);
    const before = { cpu: cpuSeconds(processes), runs: marks(root).length };
    for (let n = 2; n <= tasks + 1; n += 1) await throughTheLine(world, host, processes, n);
    const cpu = cpuSeconds(processes) - before.cpu;
    const all = marks(root);
    sample = { gaps: gapsOf(all.slice(before.runs)), cpuPerRun: cpu / (all.length - before.runs) };
  } finally {
    for (const child of processes) child.kill('SIGTERM');
    await Promise.all(processes.map(({ ended }) => ended));
    await world.close();
  }
  return { ...sample, stall: JSON.parse(readFileSync(stalls, 'utf8')) as Stall };
}

/** A module that writes down at the end of its process how long the event loop was kept from its timers; the start is left out. */
function stallWatch(root: string, file: string): string {
  const module = path.join(root, 'stalls.mjs');
  writeFileSync(
    module,
    `import { monitorEventLoopDelay } from 'node:perf_hooks';
import { writeFileSync } from 'node:fs';
const everyMs = 5;
const delay = monitorEventLoopDelay({ resolution: everyMs });
setTimeout(() => delay.enable(), 3000).unref();
const ms = (ns) => Math.max(0, ns / 1e6 - everyMs);
process.once('exit', () =>
  writeFileSync(${JSON.stringify(file)}, JSON.stringify({ p99: ms(delay.percentile(99)), longest: ms(delay.max) })));
`,
  );
  return module;
}

async function throughTheLine(world: World, host: OrchHost, processes: OrchProcess[], n: number): Promise<void> {
  world.plane.addItem(world.project, world.people.lead, {
    name: `Quantities add up, part ${n}`,
    description_html: goodText,
  });
  const ended = processes.map(({ ended: end }) => end.then(({ stderr }) => void (failure = stderr)));
  let failure: string | null = null;
  const done = (): boolean => {
    if (failure !== null) throw new Error(`a service ended: ${failure}`);
    return stagesIn(host).filter((stage) => stage === 'done').length >= n;
  };
  await until(() => `task ${n} to be done: ${stagesIn(host).join(', ')}`, done, taskMs);
  void ended;
}

/** Empty while the services are making the database. */
function stagesIn(host: OrchHost): string[] {
  try {
    return tasksIn(host.database).map(({ stage, hold }) => `${stage} ${hold ?? ''}`.trim());
  } catch {
    return [];
  }
}

/** Begin and end of an agent, in the order in which they were written. */
interface Mark {
  task: string;
  begin: number;
  end: number;
}

function marks(root: string): Mark[] {
  const lines = readFileSync(path.join(root, 'marks'), 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [task = '', begin, end] = line.split(' ');
    return { task, begin: Number(begin) / 1e6, end: Number(end) / 1e6 };
  });
}

function gapsOf(all: Mark[]): number[] {
  return all.flatMap((mark, n) => {
    const before = all.slice(0, n).findLast(({ task }) => task === mark.task);
    return before === undefined ? [] : [mark.begin - before.end];
  });
}

function cpuSeconds(processes: OrchProcess[]): number {
  const ticks = processes.map(({ pid }) => {
    // The name in the second field may hold anything; the 14th to 17th field are user and system time, own and of children.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  });
  return ticks.reduce((sum, own) => sum + own, 0) / ticksPerSecond;
}

/** A shell script that writes what its role has to write; a line of `marks` for every run. */
function instantAgent(root: string): string {
  const file = path.join(root, 'agent.sh');
  const session = '11111111-2222-4333-8444-555555555555';
  const init = JSON.stringify({ type: 'system', subtype: 'init', session_id: session });
  const result = JSON.stringify({
    type: 'result',
    subtype: 'success',
    is_error: false,
    result: 'done',
    session_id: session,
    num_turns: 1,
    total_cost_usd: 0.01,
    usage: { input_tokens: 1, output_tokens: 1 },
  });
  writeFileSync(
    file,
    `case "$1" in --version) echo 1.0.0; exit;; auth) echo '{"loggedIn":true}'; exit;; esac
begin=$(date +%s%N)
docs=docs/work-items/$ORCH_TASK
mkdir -p "$docs/06-adr" src .orch
echo '${init}'
front() { printf -- '---\\n%s\\ncommit: %s\\n---\\n# Report\\n' "$1" "$(git rev-parse HEAD)"; }
case "$ORCH_ROLE" in
  architect) echo "# A decision" >"$docs/06-adr/0001-a.md" ;;
  developer) echo "// $ORCH_TASK" >"src/$ORCH_TASK.js" ;;
  reviewer) front 'verdict: APPROVED' >"$docs/12-review.md" ;;
  tester) front 'result: PASS' >"$docs/13-test-report.md" ;;
esac
echo '{"status":"success","summary":"done"}' >.orch/result.json
echo '${result}'
echo "$ORCH_TASK $begin $(date +%s%N)" >>"${root}/marks"
`,
  );
  return file;
}

const waitWhy = 'An agent works for minutes, so a user hardly notices; no profile has taken the difference apart yet.';
const cpuWhy =
  'For a user: what one machine can run side by side is set by the agents, not by this. Agents, their supervisors and a poll every ' +
  'five seconds are in the figures of both; no profile has taken the rest apart yet.';

function report(contestants: { name: string; samples: Sample[] }[]): Section {
  const [now, before] = contestants;
  const p50 = (samples: Sample[] = []): number[] => samples.map(({ gaps }) => quantile(gaps, 0.5));
  const cpu = (samples: Sample[] = []): number[] => samples.map(({ cpuPerRun }) => cpuPerRun);
  const rows = contestants.map(({ name, samples }) => {
    const gaps = samples.flatMap((sample) => sample.gaps);
    return [
      name,
      figure(median(p50(samples))),
      figure(quantile(gaps, 0.9)),
      figure(median(cpu(samples)) * 1000),
      figure(median(samples.map(({ stall }) => stall.p99))),
      figure(median(samples.map(({ stall }) => stall.longest))),
      String(gaps.length),
    ];
  });
  const aim = (what: string, factor: number, of: (samples?: Sample[]) => number[], why: string): Aim => {
    const ratio = pairedRatio(of(now?.samples), of(before?.samples));
    const met = Number.isFinite(ratio) ? ratio <= factor : null;
    const missedBy = met === false ? `${figure(ratio / factor)}× more than aimed` : '';
    return { what, aim: `≤ ${figure(factor)}×`, measured: `${figure(ratio)}×`, met, missedBy, why };
  };
  return {
    title: 'What a run waits for and costs, whole services',
    text: [
      '`serve-poller` and `run-worker` run as processes of their own on the sandbox’s servers, with a poll every five seconds. A task has ' +
        'architecture, development with local tests, review and testing; no person and no CI is waited for. The agent is a shell ' +
        'script that works in no time. The wait ends with the first line of the next agent of the same task; processor time is ' +
        'that of both services with all they started, git and agents included, idle ticks too.',
      `The contestant is orch as it was at commit ${earlierCommit}, built on this machine and run in turns.`,
    ],
    tables: [
      {
        head: [
          '',
          'agent’s end → next agent, p50 ms',
          'p90 ms',
          'processor time a run, ms',
          'worker’s event loop kept, p99 ms',
          'longest, ms',
          'samples',
        ],
        rows,
      },
    ],
    aims: [
      aim('Agent’s end → next agent, p50, against the earlier orch', 0.5, p50, waitWhy),
      aim('Processor time a run, against the earlier orch', 1 / 3, cpu, cpuWhy),
      stallAim(median((now?.samples ?? []).map(({ stall }) => stall.p99))),
    ],
  };
}

/** Heartbeats share the event loop with everything else, milliseconds. */
const maxStallMs = 50;

function stallAim(p99: number): Aim {
  const met = Number.isFinite(p99) ? p99 <= maxStallMs : null;
  return {
    what: 'How long the worker’s event loop is kept from its timers, p99',
    aim: `≤ ${maxStallMs} ms`,
    measured: `${figure(p99)} ms`,
    met,
    missedBy: met === false ? `${figure(p99 - maxStallMs)} ms` : '',
    why: 'A process is started, a transaction waits for the disk.',
  };
}
