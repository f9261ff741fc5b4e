#!/usr/bin/env node
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, fstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { numberCall, recordCall, stepOf } from './script.ts';
import type { AgentStep } from './script.ts';
import { assistantEvent, emit, emitLine, ending, initEvent } from './stream.ts';
import { headOf, produce, writeFiles } from './work.ts';
import type { Work } from './work.ts';

/*
 * An agent that costs nothing: stands in for Claude Code in `orch demo` and in the tests. It takes the command line of the
 * real one without a complaint, works in its current folder and prints the same stream of events. Plain Node, so that it
 * starts at once.
 */

function ordersOf(cwd: string): string {
  const file = path.join(cwd, '.orch', 'task.md');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** A line such as `Role: analyst` or `- **Stage:** review` of the orders. */
function fact(orders: string, name: string): string {
  const line = new RegExp(`^[-*\\s]*${name}[*\\s]*:[*\\s]*(.+)$`, 'im').exec(orders);
  return line?.[1]?.trim() ?? '';
}

function workHere(cwd: string): Work {
  const orders = ordersOf(cwd);
  const role = process.env['ORCH_ROLE'] ?? fact(orders, 'role');
  const named = /[A-Z][A-Z0-9]*-\d{3,}/.exec(fact(orders, 'work item') || fact(orders, 'task') || orders);
  const task = process.env['ORCH_TASK'] ?? named?.[0] ?? '';
  return { cwd, role: role || 'developer', task, title: fact(orders, 'title'), orders, n: 1 };
}

function optionOf(argv: string[], name: string): string | undefined {
  const at = argv.indexOf(name);
  return at < 0 ? undefined : argv[at + 1];
}

/** The prompt, when it came as a file; a pipe that nobody closes would keep the agent waiting. */
function promptOf(): string {
  try {
    return fstatSync(0).isFile() ? readFileSync(0, 'utf8') : '';
  } catch {
    return '';
  }
}

/** A process in a session of its own, as a server started by an agent would be. */
function leaveGrandchild(cwd: string): number {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    cwd,
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
  return child.pid ?? 0;
}

function mergeIn(cwd: string, ref: string): void {
  execFileSync('git', ['merge', '--no-edit', '-X', 'ours', ref], { cwd, stdio: 'ignore' });
}

function filled(text: string, work: Work): string {
  const values: Record<string, string> = {
    task: work.task,
    docs: `docs/work-items/${work.task}`,
    head: headOf(work.cwd),
    role: work.role,
    n: String(work.n),
  };
  return text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole);
}

/** Does one step's work in the workspace and answers the summary. */
function perform(work: Work, step: AgentStep): string {
  if (step.merge !== undefined) mergeIn(work.cwd, step.merge);
  const product = produce(work, step.act ?? (step.files === undefined ? 'work' : 'nothing'));
  writeFiles(work.cwd, product.files);
  for (const [name, content] of Object.entries(step.files ?? {})) {
    writeFiles(work.cwd, { [filled(name, work)]: content === null ? null : filled(content, work) });
  }
  const result = step.result === undefined ? product.result : step.result;
  if (result !== null) writeFiles(work.cwd, { '.orch/result.json': `${JSON.stringify(result, null, 2)}\n` });
  if (step.commit !== undefined) {
    execFileSync('git', ['add', '--all', '--', '.', ':!.orch'], { cwd: work.cwd, stdio: 'ignore' });
    execFileSync('git', ['commit', '-q', '-m', filled(step.commit, work)], { cwd: work.cwd, stdio: 'ignore' });
  }
  return product.summary;
}

async function run(argv: string[], scriptFile: string | undefined): Promise<number> {
  const work = workHere(process.cwd());
  const call = scriptFile === undefined ? null : numberCall(scriptFile, work.role, work.task);
  work.n = call?.n ?? 1;
  const step = stepOf(scriptFile, work.role, work.n);
  const grandchild = step.grandchild === true ? leaveGrandchild(work.cwd) : null;
  if (call !== null) {
    const { role, task, n, cwd, orders } = work;
    const environment = Object.keys(process.env).toSorted();
    recordCall(call.file, {
      role,
      task,
      n,
      pid: process.pid,
      cwd,
      argv,
      environment,
      orders,
      prompt: promptOf(),
      grandchild,
    });
  }
  const session = optionOf(argv, '--resume') ?? optionOf(argv, '--session-id') ?? randomUUID();
  emit(initEvent(session, work.cwd));
  if (step.sleepMs !== undefined) await sleep(step.sleepMs);
  const wanted = step.waitFor === undefined ? null : filled(step.waitFor, work);
  while (wanted !== null && !existsSync(wanted)) await sleep(20);
  const summary = perform(work, step);
  emit(assistantEvent(session, summary));
  for (const line of step.print ?? []) emitLine(filled(line, work));
  if (step.crash !== undefined) process.kill(process.pid, step.crash);
  while (step.hang === true) await sleep(1000);
  const { events, exit } = ending(step, session, summary);
  for (const event of events) emit(event);
  return step.exit ?? exit;
}

/** The script is named by the first option or by a variable; everything else is the real agent's command line. */
async function main(given: string[]): Promise<number> {
  const own = given[0] === '--agent-script';
  const scriptFile = own ? given[1] : process.env['ORCH_AGENT_SCRIPT'];
  const argv = own ? given.slice(2) : given;
  if (argv.includes('--version')) {
    emitLine('0.0.0 (scripted agent)');
    return 0;
  }
  if (argv[0] === 'auth' && argv[1] === 'status') {
    emit({ loggedIn: true, authMethod: 'none', apiProvider: 'scripted' });
    return 0;
  }
  return run(argv, scriptFile);
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
