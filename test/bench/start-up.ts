import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/core/platform/files.ts';
import { figure, median, pairedRatio } from './numbers.ts';
import type { Aim, BenchContext, Section } from './section.ts';

const bin = path.join(packageRoot(), 'bin', 'orch.js');
const adhoc = 'enqueue developer --repo acme/shop --branch fix/typo --prompt prompt.md --idempotency-key one';

const contestants: { name: string; args: string[]; aim: number | null }[] = [
  { name: 'node -e 0', args: ['-e', '0'], aim: null },
  { name: 'orch --help', args: [bin, '--help'], aim: 1.3 },
  { name: 'orch status', args: [bin, 'status'], aim: 2 },
  { name: 'orch enqueue', args: [bin, ...adhoc.split(' ')], aim: 2 },
];

interface Took {
  ms: number;
  /** Processor time, user and system; the shell counts it in hundredths of a second. */
  cpuMs: number;
}

/** (f) What a command costs before it answers, against Node.js that does nothing. */
export function startUp({ form, folder }: BenchContext): Promise<Section> {
  prepare(folder);
  // Makes the database and checks the configuration.
  run(folder, [bin, ...adhoc.split(' ')]);
  const rounds = contestants.map((): Took[] => []);
  for (let round = -1; round < form.starts; round += 1)
    contestants.forEach(({ args }, n) => {
      const took = run(folder, args);
      if (round >= 0) rounds[n]?.push(took);
    });
  return Promise.resolve(report(rounds));
}

function prepare(folder: string): void {
  mkdirSync(path.join(folder, 'state'), { mode: 0o700 });
  const approvers = ['lead@example.org'];
  const project = { planeProject: '11111111-2222-4333-8444-555555555555', repo: 'acme/shop', prefix: 'ET', approvers };
  const plane = { url: 'http://127.0.0.1:9', workspace: 'acme' };
  const config = { stateDir: 'state', plane, gitea: { url: 'http://127.0.0.1:9' }, projects: [project] };
  writeFileSync(path.join(folder, 'orchestrator.config.json'), JSON.stringify(config));
  writeFileSync(path.join(folder, 'prompt.md'), 'Fix the typo.\n');
}

function run(cwd: string, args: string[]): Took {
  const script = '"$@" >/dev/null 2>&1 || exit; times';
  const env = { PATH: process.env['PATH'], HOME: cwd };
  const startedAt = performance.now();
  const { stdout, status } = spawnSync('sh', ['-c', script, 'sh', process.execPath, ...args], {
    cwd,
    env,
    encoding: 'utf8',
  });
  const ms = performance.now() - startedAt;
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  const parts = [...(stdout.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  return {
    ms,
    cpuMs: parts.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000, 0),
  };
}

function report(rounds: Took[][]): Section {
  const base = rounds[0] ?? [];
  const rows = contestants.map(({ name, aim }, n) => {
    const own = rounds[n] ?? [];
    const ratio = (of: keyof Took): number =>
      pairedRatio(
        own.map((took) => took[of]),
        base.map((took) => took[of]),
      );
    return {
      name,
      aim,
      ms: median(own.map(({ ms }) => ms)),
      cpuMs: median(own.map(({ cpuMs }) => cpuMs)),
      wall: ratio('ms'),
      cpu: ratio('cpuMs'),
    };
  });
  const aims = rows.flatMap(({ name, aim, wall }): Aim[] =>
    aim === null
      ? []
      : [
          {
            what: `${name} against \`node -e 0\`, time`,
            aim: `≤ ${aim}`,
            measured: figure(wall),
            met: wall <= aim,
            missedBy: wall <= aim ? '' : `${figure(wall / aim)} times the aim`,
            why: 'Most of it is reading and compiling the bundle, then commander, the database driver and the first statements.',
          },
        ],
  );
  return {
    title: 'What a command costs before it answers',
    text: [
      `Whole processes, in turn, ${base.length} rounds, with a database and a configuration that was checked before; each ratio is the ` +
        'median of the ratios round by round. `enqueue` finds that the job exists already, so it waits for no disk.',
    ],
    tables: [
      {
        head: ['', 'ms', 'processor ms', 'times `node -e 0`', 'its processor time'],
        rows: rows.map(({ name, ms, cpuMs, wall, cpu }) => [
          name,
          figure(ms),
          figure(cpuMs),
          figure(wall),
          figure(cpu),
        ]),
      },
    ],
    aims,
  };
}
