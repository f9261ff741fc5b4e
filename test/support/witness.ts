import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/*
 * Every agent of a crash test looks around before it works: is anything of another run alive in its workspace
 * (invariant 10), and was this very run started before?
 */
const witness = `
import { appendFileSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
const journal = process.argv.includes('--version') || process.argv[2] === 'auth' ? null : 'JOURNAL';
const read = (pid, name) => { try { return readFileSync('/proc/' + pid + '/' + name, 'utf8'); } catch { return ''; } };
const cwd = (pid) => { try { return readlinkSync('/proc/' + pid + '/cwd'); } catch { return ''; } };
const alive = (pid) => !/\\) [ZX] /.test(read(pid, 'stat'));
if (journal !== null && process.env.ORCH_RUN !== undefined) {
  const mine = process.cwd();
  const others = readdirSync('/proc')
    .filter((pid) => /^\\d+$/.test(pid) && Number(pid) !== process.pid && cwd(pid) === mine)
    .filter((pid) => read(pid, 'environ').split('\\0').every((line) => line !== 'ORCH_RUN=' + process.env.ORCH_RUN))
    .filter((pid) => read(pid, 'environ').includes('ORCH_RUN=') && alive(pid));
  appendFileSync(journal, JSON.stringify({ run: process.env.ORCH_RUN, workspace: mine, others }) + '\\n');
}
`;

const journalOf = (root: string): string => path.join(root, 'starts.jsonl');

/** The command of an agent that looks around first. */
export function witnessed(root: string, node: string[], script: string): string[] {
  const file = path.join(root, 'witness.mjs');
  writeFileSync(file, witness.replace('JOURNAL', journalOf(root)));
  return [...node, '--import', file, script];
}

interface Start {
  run: string;
  workspace: string;
  others: string[];
}

/** What the agents saw that must not be. */
export function startsOf(root: string): string[] {
  if (!existsSync(journalOf(root))) return ['no agent was ever started'];
  const found: string[] = [];
  const runs = new Set<string>();
  for (const line of readFileSync(journalOf(root), 'utf8').trim().split('\n')) {
    const { run, workspace, others } = JSON.parse(line) as Start;
    if (others.length > 0) found.push(`run ${run} met processes ${others.join(', ')} of another run in ${workspace}`);
    if (runs.has(run)) found.push(`the agent of run ${run} was started twice`);
    runs.add(run);
  }
  return found;
}
