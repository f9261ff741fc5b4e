import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
import { reportText, surroundings } from './report.ts';
import { requests } from './requests.ts';
import { forms, type BenchContext, type Section } from './section.ts';
import { services } from './services.ts';
import { startUp } from './start-up.ts';
import { runCost } from './run-cost.ts';
import { throughput } from './throughput.ts';

const parts: Record<string, (context: BenchContext) => Promise<Section>> = {
  services,
  'start-up': startUp,
  memory,
  requests,
  throughput,
  latency,
  idle,
  growth,
  recovery,
  'run-cost': runCost,
  'own-time': ownTime,
};

const usage = `npm run bench [-- options]   measures orch and writes docs/benchmarks.md
  --quick          the short form, under three minutes; writes no file unless --out names one
  --only <part>    ${Object.keys(parts).join(', ')}; may be repeated; writes no file unless --out names one
  --out <file>     where the report goes`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    out: { type: 'string' },
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
  const where = surroundings(form);
  const root = mkdtempSync(path.join(tmpdir(), 'orch-bench-'));
  const clean = (): void => rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  process.once('exit', clean);
  // What the parts keep in temporary folders of their own goes with it.
  process.env['TMPDIR'] = root;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  // Installing them takes minutes; only these parts need them.
  const contest = chosen.some((name) => name === 'throughput' || name === 'latency');
  const peers = contest ? await findPeers(say) : { plainjob: null, liteque: null };
  const startedAt = performance.now();
  const sections: Section[] = [];
  for (const name of chosen) {
    say(`-- ${name}`);
    sections.push(await runPart(name, { form, say, peers }, root));
  }
  const text = await reportText({ ...where, seconds: (performance.now() - startedAt) / 1000 }, sections);
  const whole = !values.quick && values.only.length === 0;
  const out = values.out ?? (whole ? path.join(packageRoot(), 'docs', 'benchmarks.md') : null);
  if (out === null) process.stdout.write(text);
  else writeFileSync(out, text);
  if (out !== null) say(`written: ${out}`);
}

await main();
process.exit();
