import type { Role } from '../../src/core/model/index.ts';
import { roleNames as roles } from '../../src/core/pipeline/stages/index.ts';
import type { Answer, Failure, Script, ScriptRequest } from './messages-api.ts';

/** One agent's run as the team saw it. */
interface TeamRun {
  role: Role;
  /** `ET-012`; '' when the orders name none. */
  task: string;
  /** Which run of this role for this task, from 1. A resumed session is the same run. */
  round: number;
  session: string;
  system: string;
  prompt: string;
  /** What `.orch/task.md` said. */
  orders: string;
}

export interface TeamOptions {
  /** Verdict of the first review; later ones approve. */
  reviewFirst?: 'APPROVED' | 'REQUEST_CHANGES';
  /** Result of the first test run; later ones pass. */
  testFirst?: 'PASS' | 'FAIL';
  /** The first analyst asks questions in place of the artifacts. */
  askFirst?: boolean;
  /** What the deployer reports. */
  deploy?: { status: 'success' | 'failed'; summary: string; rolled_back: boolean };
  /** Asked before every answer: its reply is given in place of the team's own; undefined leaves the team to it. */
  on?: (run: TeamRun, request: ScriptRequest) => ReturnType<Script> | undefined;
}

export interface Team {
  script: Script;
  /** Every run so far, in order. */
  runs: TeamRun[];
}

/**
 * The six roles, scripted: each reads its orders, looks at what it is about to write (the Write tool refuses a file that
 * exists and was not read), and writes what its gate wants, with the CLI's own tools. A later round writes other content.
 */
export function teamScript(options: TeamOptions = {}): Team {
  const runs: TeamRun[] = [];
  const script: Script = (request) => {
    const role = roleOf(request.prompt, request.system);
    if (role === null) return { text: 'no role is named in the prompt' };
    const run = runOf(runs, role, request);
    const special = options.on?.(run, request);
    if (special !== undefined) return special;
    return act(run, request, options);
  };
  return { script, runs };
}

const named = new RegExp(`\\b(?:you are|as|role:|act as)\\W+(?:the |an? )?\\W*(${roles.join('|')})\\b`, 'i');
const mentioned = new RegExp(`\\b(${roles.join('|')})\\b`, 'i');

/** The role that a run's prompt, or else its system prompt, speaks to; failing that the first one either mentions. */
function roleOf(prompt: string, system: string): Role | null {
  const found = named.exec(prompt) ?? named.exec(system) ?? mentioned.exec(system) ?? mentioned.exec(prompt);
  return found === null ? null : ((found[1] ?? '').toLowerCase() as Role);
}

function runOf(runs: TeamRun[], role: Role, request: ScriptRequest): TeamRun {
  const known = runs.findLast((run) => run.session === request.session && run.role === role);
  const run = known ?? {
    role,
    task: '',
    round: 0,
    session: request.session,
    system: request.system,
    prompt: '',
    orders: '',
  };
  if (known === undefined) runs.push(run);
  run.prompt = request.prompt;
  if (request.turn === 1) run.orders = request.results[0]?.text ?? '';
  run.task = /\b[A-Z][A-Z0-9]{0,11}-\d{3,}\b/.exec(`${run.orders}\n${request.prompt}`)?.[0] ?? run.task;
  run.round = runs.filter((other) => other.role === role && other.task === run.task).indexOf(run) + 1;
  return run;
}

/** Orders, then a look at the files, then the files, then the last word. */
function act(run: TeamRun, request: ScriptRequest, options: TeamOptions): Answer | Failure {
  if (request.turn === 0) return { text: `I am the ${run.role}.`, toolUses: [read('.orch/task.md')] };
  if (run.task === '') return { text: 'the orders name no work item' };
  const head = /\b[0-9a-f]{40}\b/.exec(request.results.at(-1)?.text ?? '')?.[0] ?? null;
  const files = { ...resultOf(run, options), ...filesOf(run, options, head) };
  if (request.turn === 1) {
    const look = { name: 'Bash', input: { command: 'git rev-parse HEAD', description: 'The commit under work' } };
    return { toolUses: [...Object.keys(files).map(read), look] };
  }
  if (request.turn === 2) {
    const writes = Object.entries(files).map(([file, content]) => ({
      name: 'Write',
      input: { file_path: file, content },
    }));
    return { text: `Writing, round ${run.round}.`, toolUses: writes };
  }
  return { text: `The ${run.role} is done with ${run.task}, round ${run.round}.` };
}

function read(file: string): { name: string; input: Record<string, unknown> } {
  return { name: 'Read', input: { file_path: file } };
}

/** What every run says about itself. */
function resultOf(run: TeamRun, options: TeamOptions): Record<string, string> {
  const plain = { status: 'success', summary: `${run.role}, round ${run.round}` };
  const deployed = options.deploy ?? { status: 'success', summary: `deployed ${run.task}`, rolled_back: false };
  return { '.orch/result.json': `${JSON.stringify(run.role === 'deployer' ? deployed : plain)}\n` };
}

/** What the role leaves in the repository, by path relative to the workspace. */
function filesOf(run: TeamRun, options: TeamOptions, head: string | null): Record<string, string> {
  const { round, task } = run;
  const folder = `docs/work-items/${task}`;
  const commit = head === null ? '' : `commit: ${head}\n`;
  switch (run.role) {
    case 'analyst':
      if (options.askFirst === true && round === 1)
        return { [`${folder}/01-questions.md`]: `# Questions\n\n1. Which totals are wrong?\n` };
      return {
        [`${folder}/01-brd.md`]: `# Business requirements of ${task}\n\nRound ${round}: totals add up.\n`,
        [`${folder}/02-trz.md`]: `# Technical requirements\n\nRound ${round}: add in integers.\n`,
        [`${folder}/03-acceptance-criteria.md`]: `# Acceptance criteria\n\n- [ ] 0.1 + 0.2 is 0.30 (round ${round})\n`,
        [`${folder}/04-test-plan.yaml`]: `task: ${task}\nround: ${round}\ncases:\n  - name: totals\n    expect: "0.30"\n`,
      };
    case 'architect':
      return { [`${folder}/06-adr/0001-integers.md`]: `# Integers for money\n\nStatus: accepted, round ${round}\n` };
    case 'developer':
      return { [`src/${task.toLowerCase()}.txt`]: `totals in cents, round ${round}\n` };
    case 'reviewer': {
      const verdict = round === 1 ? (options.reviewFirst ?? 'APPROVED') : 'APPROVED';
      const prose = verdict === 'APPROVED' ? 'Good.' : '- src: rounding is missing, add it.';
      return {
        [`${folder}/12-review.md`]: `---\nverdict: ${verdict}\n${commit}---\n\n# Review, round ${round}\n\n${prose}\n`,
      };
    }
    case 'tester': {
      const result = round === 1 ? (options.testFirst ?? 'PASS') : 'PASS';
      return {
        [`${folder}/13-test-report.md`]: `---\nresult: ${result}\n---\n\n# Test report, round ${round}\n\n1 case run.\n`,
      };
    }
    default:
      return {};
  }
}
