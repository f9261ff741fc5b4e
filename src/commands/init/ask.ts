import { createInterface, type Interface } from 'node:readline/promises';
import { OrchError } from '../../core/model/index.ts';
import { planeAddress, repoAddress, type Answers, type Given } from './answers.ts';

interface Question {
  /** Answered already when all of these are known. */
  keys: (keyof Answers)[];
  /** The flags it stands for. */
  flags: string[];
  text: string;
  read: (line: string) => Given;
  standard?: (given: Given) => string | undefined;
}

const questions: Question[] = [
  {
    keys: ['planeProject'],
    flags: ['--plane-project'],
    text: 'Plane project (its address, copied from the browser, or its id)',
    read: planeAddress,
  },
  {
    keys: ['planeUrl'],
    flags: ['--plane-url'],
    text: 'Address of Plane',
    read: (line) => ({ planeUrl: line }),
    standard: () => 'http://127.0.0.1:8080',
  },
  {
    keys: ['planeWorkspace'],
    flags: ['--plane-workspace'],
    text: 'Short name of the Plane workspace (as the address shows it)',
    read: (line) => ({ planeWorkspace: line }),
  },
  {
    keys: ['repo'],
    flags: ['--repo'],
    text: 'Repository (its address, or owner/name)',
    read: repoAddress,
  },
  {
    keys: ['giteaUrl'],
    flags: ['--gitea-url'],
    text: 'Address of Gitea',
    read: (line) => ({ giteaUrl: line }),
    standard: () => 'http://127.0.0.1:3000',
  },
  {
    keys: ['prefix'],
    flags: ['--prefix'],
    text: 'Prefix of task ids, such as ET in ET-012',
    read: (line) => ({ prefix: line.toUpperCase() }),
  },
  {
    keys: ['approvers'],
    flags: ['--approver'],
    text: 'Who may approve (e-mail addresses in Plane, separated by blanks)',
    read: (line) => ({ approvers: line.split(/[\s,]+/).filter((part) => part !== '') }),
  },
];

/** What is still unknown. */
function open(given: Given): Question[] {
  return questions.filter(({ keys }) => keys.some((key) => given[key] === undefined));
}

/** @throws OrchError `usage` naming every flag that is missing; nobody is there to be asked */
export function assertComplete(given: Given): Answers {
  const missing = open(given).flatMap(({ flags }) => flags);
  if (missing.length === 0) return given as Answers;
  throw new OrchError(`${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`, {
    code: 'init_incomplete',
    hint: 'Give them, or run `orch init` at a terminal without --yes to be asked.',
  });
}

/** A person at a terminal; questions go to stderr, so that stdout stays data. */
export interface Asker {
  /** Asks for what is missing, one line each. */
  missing(given: Given): Promise<Given>;
  /** `y` or `yes`; Enter alone is no. */
  confirm(text: string): Promise<boolean>;
  close(): void;
}

export function createAsker(): Asker {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  return {
    async missing(given) {
      let known = given;
      for (const question of questions) {
        while (open(known).includes(question)) {
          const standard = question.standard?.(known);
          const typed = await line(lines, `${question.text}${standard === undefined ? '' : ` [${standard}]`}: `);
          const value = typed === '' ? standard : typed;
          if (value !== undefined && value !== '') known = { ...question.read(value), ...known };
        }
      }
      return known;
    },
    confirm: async (text) => /^y(es)?$/i.test(await line(lines, `${text} [y/N] `)),
    close: () => lines.close(),
  };
}

/** One line; Ctrl-C and the end of the input end the command. @throws OrchError `init_stopped` */
async function line(lines: Interface, prompt: string): Promise<string> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  lines.once('SIGINT', end);
  lines.once('close', end);
  try {
    return (await lines.question(prompt, { signal: stop.signal })).trim();
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    throw new OrchError('stopped', { code: 'init_stopped', cause: error });
  } finally {
    lines.off('SIGINT', end);
    lines.off('close', end);
  }
}
