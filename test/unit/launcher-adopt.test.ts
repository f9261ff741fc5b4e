import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AgentSettings, RunSpec } from '../../src/core/model/index.ts';
import { builtPart } from '../support/build.ts';
import type { LauncherBench } from '../support/launcher-bench.ts';
import { launcherBench, patientHooks, scriptAgent } from '../support/launcher-bench.ts';
import { until } from '../support/until.ts';

let bench: LauncherBench;
beforeEach(() => {
  bench = launcherBench();
});
afterEach(() => bench.remove());

/** A worker reduced to what matters here: it starts the run, says so, and follows until it is killed. */
const worker = `
import { createLauncher } from '${builtPart('src/core/launcher/launcher.ts')}';
import { systemClock } from '${builtPart('src/core/platform/clock.ts')}';
import { silentLog } from '${builtPart('src/core/platform/log.ts')}';
import { Redactor } from '${builtPart('src/core/platform/redact.ts')}';
const { runsDir, settings, spec } = JSON.parse(process.argv[2]);
const launcher = createLauncher({ runsDir, settingsOf: () => settings, identity: { name: 'o', email: 'o@example.org' },
  hide: [], log: silentLog, clock: systemClock, redactor: new Redactor(), env: process.env, killGraceMs: 1000 });
const { folder } = await launcher.prepare(spec);
await launcher.start(spec, folder);
process.stdout.write(folder + '\\n');
await launcher.follow(folder, { beat: async () => 'go', everyMs: 100, signal: new AbortController().signal });
`;

async function startAndKillWorker(settings: AgentSettings, spec: RunSpec): Promise<string> {
  const program = path.join(bench.root, 'worker.mjs');
  writeFileSync(program, worker);
  const child = spawn(process.execPath, [program, JSON.stringify({ runsDir: bench.runsDir, settings, spec })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await until('the worker to have started the run', () => output.includes('\n'));
  const dead = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await dead;
  return output.trim();
}

it('outlives the worker that started it, and is finished by another one from its files', async () => {
  const script = 'echo first; while [ ! -e go ]; do sleep 0.1; done; echo second; exit 5';
  const folder = await startAndKillWorker(scriptAgent(script), bench.spec());
  const adopter = bench.launcher({});
  expect(await adopter.alive(folder)).toBe(true);
  const end = adopter.follow(folder, patientHooks());
  writeFileSync(path.join(bench.workspace, 'go'), '');
  expect(await end).toBe('ended');
  expect(await adopter.outcome(folder)).toMatchObject({ kind: 'own_fault', exitCode: 5, tail: 'first\nsecond' });
  expect(await adopter.alive(folder)).toBe(false);
});

it('ends at its wall clock although the worker is dead, and leaves no process', async () => {
  const folder = await startAndKillWorker(scriptAgent('exec sleep 100'), bench.spec({ timeoutMs: 1_000 }));
  await until('the supervisor to write exit', () => existsSync(path.join(folder, 'exit')));
  const adopter = bench.launcher({});
  expect(await adopter.follow(folder, patientHooks())).toBe('ended');
  expect(readFileSync(path.join(folder, 'stop.json'), 'utf8')).toContain('"by":"supervisor"');
  expect(await adopter.outcome(folder)).toMatchObject({ kind: 'timeout', exitCode: -9 });
  expect(await adopter.alive(folder)).toBe(false);
});
