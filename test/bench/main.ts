import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/core/platform/files.ts';
import { growth } from './growth.ts';
import { idle } from './idle.ts';
import { latency } from './latency.ts';
import { memory } from './memory.ts';
import { ownTime } from './own-time.ts';
import { findPeers } from './peers.ts';
import { recovery } from './recovery.ts';
import { machine, reportText, type Measured } from './report.ts';
import { requests } from './requests.ts';
import { forms, type BenchContext, type Section } from './section.ts';
import { services } from './services.ts';
import { startUp } from './start-up.ts';
import { runCost } from './run-cost.ts';
import { throughput } from './throughput.ts';

const parts: Record<string, (context: BenchContext) => Promise<Section>> = {
  services,
  'run-cost': runCost,
  requests,
  'start-up': startUp,
  growth,
  memory,
  recovery,
  idle,
  'own-time': ownTime,
  latency,
  throughput,
};

const report = path.join(packageRoot(), 'docs', 'benchmarks.md');
/** What the report is made of: a part that is measured again takes the place of its former numbers. */
const numbers = path.join(packageRoot(), 'docs', 'benchmarks.json');

const usage = `npm run bench [-- options]   measures orch and writes docs/benchmarks.md; the whole takes three quarters of an hour
  --quick          the short form, a few minutes; writes no file
  --only <part>    ${Object.keys(parts).join(', ')};
                   may be repeated; the report keeps the numbers of the others
  --print          prints the report of what was measured and writes no file`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    print: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A part that fails is reported and leaves a section that says so; the others are still worth having. */
async function runPart(name: string, context: Omit<BenchContext, 'folder'>, root: string): Promise<Section> {
  const folder = path.join(root, name);
  mkdirSync(folder, { recursive: true });
  const startedAt = performance.now();
  try {
    const section = await (parts[name] as (typeof parts)[string])({ ...context, folder });
    say(`${name}: ${Math.round((performance.now() - startedAt) / 1000)} s`);
    return section;
  } catch (error) {
    say(`${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    process.exitCode = 1;
    return { title: name, text: ['This part failed and was not measured.'], tables: [], aims: [] };
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

async function main(): Promise<void> {
  if (values.help) return say(usage);
  const chosen = values.only.length === 0 ? Object.keys(parts) : values.only;
  const unknown = chosen.find((name) => parts[name] === undefined);
  if (unknown !== undefined) throw new Error(`there is no part "${unknown}"\n${usage}`);
  const form = forms[values.quick ? 'quick' : 'full'];
  const root = mkdtempSync(path.join(tmpdir(), 'orch-bench-'));
  const clean = (): void => rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  process.once('exit', clean);
  // What the parts keep in temporary folders of their own goes with it.
  process.env['TMPDIR'] = root;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  // Installing them takes minutes; only these parts need them.
  const contest = chosen.some((name) => name === 'throughput' || name === 'latency');
  const peers = contest ? await findPeers(say) : { plainjob: null, liteque: null };
  const measured: Measured[] = [];
  for (const part of chosen) {
    say(`-- ${part}`);
    const before = { startedAt: new Date().toISOString(), load: loadavg(), at: performance.now() };
    const section = await runPart(part, { form, say, peers }, root);
    const seconds = Math.round((performance.now() - before.at) / 1000);
    const { startedAt, load } = before;
    measured.push({ part, form: form.name, startedAt, load, seconds, machine: machine(), section });
  }
  if (values.quick || values.print) return void process.stdout.write(await reportText(measured));
  const former = existsSync(numbers) ? (JSON.parse(readFileSync(numbers, 'utf8')) as Measured[]) : [];
  const all = Object.keys(parts).flatMap((name) => [...measured, ...former].find(({ part }) => part === name) ?? []);
  writeFileSync(numbers, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(report, await reportText(all));
  say(`written: ${report}`);
}

await main();
process.exit();
