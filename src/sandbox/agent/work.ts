import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Act } from './script.ts';

/** What the agent knows of its run. */
export interface Work {
  cwd: string;
  role: string;
  /** Empty for a run that belongs to no work item. */
  task: string;
  title: string;
  orders: string;
  n: number;
}

export interface Product {
  files: Record<string, string>;
  result: Record<string, unknown> | null;
  summary: string;
}

/** Head of the workspace; a verdict names it. */
export function headOf(cwd: string): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

export function writeFiles(cwd: string, files: Record<string, string | null>): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(cwd, name);
    if (content === null) {
      rmSync(file, { force: true });
      continue;
    }
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

function success(summary: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { status: 'success', summary, ...more };
}

/** A mark that differs between rounds, so that a repeated run leaves changed artifacts. */
function round(work: Work): string {
  return createHash('sha256').update(`${work.orders}\n${work.n}`).digest('hex').slice(0, 8);
}

function analyst(work: Work, docs: string): Product {
  const mark = `Round ${round(work)}.`;
  const files = {
    [`${docs}/01-brd.md`]: `# ${work.task}: business requirements\n\n${work.title}\n\n## Goal\nWhat the request asks for, and nothing else. ${mark}\n`,
    [`${docs}/02-trz.md`]: `# ${work.task}: technical requirements\n\n1. A module below \`src/\` does it.\n2. A test below \`test/\` shows it. ${mark}\n`,
    [`${docs}/03-acceptance-criteria.md`]: `# ${work.task}: acceptance criteria\n\n- [ ] AC-1: \`make test\` passes with the new test.\n`,
    [`${docs}/04-test-plan.yaml`]: `work_item: ${work.task}\ncases:\n  - id: TC-1\n    criterion: AC-1\n    steps: [make test]\n`,
  };
  return {
    files,
    result: success('Requirements, criteria and test plan are written.'),
    summary: 'Analysis is complete.',
  };
}

function architect(work: Work, docs: string): Product {
  const files = {
    [`${docs}/06-adr/0001-own-module.md`]: `# 0001: an own module\n\n## Decision\n${work.task} lives in a module of its own; nothing existing changes.\n\nRound ${round(work)}.\n`,
  };
  return { files, result: success('One decision record.'), summary: 'The design is recorded.' };
}

function developer(work: Work, broken: boolean): Product {
  const slug = work.task === '' ? 'change' : work.task.toLowerCase();
  const source = `src/${slug}.js`;
  const file = path.join(work.cwd, source);
  const before = existsSync(file) ? /revision = (\d+)/.exec(readFileSync(file, 'utf8')) : null;
  const revision = Number(before?.[1] ?? 0) + 1;
  const files = {
    [source]: `// ${work.task}\nexport const revision = ${revision};\n\n/** Adds up the quantities of a list of lines. */\nexport function quantity(lines) {\n  return lines.reduce((sum, line) => sum + line.quantity, ${broken ? 1 : 0});\n}\n`,
    [`test/${slug}.test.js`]: `import assert from 'node:assert/strict';\nimport { test } from 'node:test';\nimport { quantity } from '../${source}';\n\ntest('${slug}: quantities add up', () => {\n  assert.equal(quantity([{ quantity: 2 }, { quantity: 3 }]), 5);\n});\n`,
  };
  return { files, result: success(`Revision ${revision} of ${source} with a test.`), summary: `Wrote ${source}.` };
}

function reviewer(work: Work, docs: string, verdict: string, text: string): Product {
  const head = headOf(work.cwd);
  const content = `---\nverdict: ${verdict}\ncommit: ${head}\n---\n# Review of ${work.task}\n\n${text}\n`;
  return { files: { [`${docs}/12-review.md`]: content }, result: success(text), summary: `Verdict: ${verdict}.` };
}

function tester(work: Work, docs: string, result: string, text: string): Product {
  const content = `---\nresult: ${result}\ncommit: ${headOf(work.cwd)}\n---\n# Test report of ${work.task}\n\n${text}\n\nRound ${round(work)}.\n`;
  return { files: { [`${docs}/13-test-report.md`]: content }, result: success(text), summary: `Result: ${result}.` };
}

function plain(work: Work, docs: string): Product {
  if (work.task === '' && work.role !== 'developer') {
    const files = { [`docs/reports/${work.role}.md`]: `# Report\n\nRound ${round(work)}.\n` };
    return { files, result: success('A report.'), summary: 'The report is written.' };
  }
  switch (work.role) {
    case 'analyst':
      return analyst(work, docs);
    case 'architect':
      return architect(work, docs);
    case 'developer':
      return developer(work, false);
    case 'reviewer':
      return reviewer(work, docs, 'APPROVED', 'The change does what the criteria ask for.');
    case 'tester':
      return tester(work, docs, 'PASS', 'All cases of the test plan pass.');
    case 'deployer':
      return {
        files: {},
        result: success('Deployed, smoke test passed.', { rolled_back: false }),
        summary: 'Deployed.',
      };
    default:
      return ownRole(work);
  }
}

/** A role of a team's own: its document with the first value that its orders name, which passes. */
function ownRole(work: Work): Product {
  const wanted = /`(docs\/work-items\/[\w./-]+\.md)` with the front matter `([\w-]+: [\w-]+)`/.exec(work.orders);
  const [, file = `docs/reports/${work.role}.md`, line = 'result: PASS'] = wanted ?? [];
  const content = `---\n${line}\ncommit: ${headOf(work.cwd)}\n---\n# ${work.role}\n\nRound ${round(work)}.\n`;
  return { files: { [file]: content }, result: success('The document is written.'), summary: `Said ${line}.` };
}

/** What an act leaves in the workspace. */
export function produce(work: Work, act: Act): Product {
  const docs = `docs/work-items/${work.task}`;
  const none: Product = { files: {}, result: null, summary: 'Nothing was done.' };
  switch (act) {
    case 'work':
      return plain(work, docs);
    case 'nothing-to-do':
      return { ...none, result: { status: 'nothing_to_do', summary: 'The code already does this.' } };
    case 'ask':
      return {
        files: {
          [`${docs}/01-questions.md`]: `# Questions\n\n1. Which currencies have to work?\n2. Is rounding per line or per order? (round ${round(work)})\n`,
        },
        result: success('Two questions.'),
        summary: 'Questions are asked.',
      };
    case 'conflict':
      return {
        files: {
          [`${docs}/10-conflict.md`]: `# Conflict\n\nThe requirements contradict what the shop already promises (round ${round(work)}).\n`,
        },
        result: success('The specification conflicts with the code.'),
        summary: 'A conflict was found.',
      };
    case 'request-changes':
      return reviewer(
        work,
        docs,
        'REQUEST_CHANGES',
        `1. src/${work.task.toLowerCase()}.js: say what the function returns for an empty list.`,
      );
    case 'garbled':
      return {
        files: {
          [`${docs}/12-review.md`]: `---\nverdict: [maybe\n# Review, round ${round(work)}\n| verdict | APPROVED |\n`,
          [`${docs}/13-test-report.md`]: `Everything PASS, I think. Round ${round(work)}\n`,
        },
        result: null,
        summary: 'Done.',
      };
    case 'fail-tests':
      return tester(work, docs, 'FAIL', 'TC-1 fails: the sum is off by one.');
    case 'break-build':
      return developer(work, true);
    case 'fail-deploy':
      return {
        files: {},
        result: { status: 'failed', summary: 'The smoke test failed: HTTP 502.', rolled_back: true },
        summary: 'The deployment failed.',
      };
    default:
      return none;
  }
}
