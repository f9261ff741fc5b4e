import { OrchError } from '../../core/model/index.ts';

/** What `orch init` has to know; everything else has a default that fits most. */
export interface Answers {
  planeUrl: string;
  planeWorkspace: string;
  planeProject: string;
  giteaUrl: string;
  repo: string;
  prefix: string;
  name: string | undefined;
  baseBranch: string | undefined;
  approvers: string[];
  telegramChat: string | undefined;
  language: string | undefined;
}

/** Flags as given; a missing one is asked for, found out, or left to its default. */
export type Given = Partial<Answers>;

const uuid = '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}';

/**
 * What an address copied from the browser contains: `https://plane.example.org/acme/projects/<id>/issues/` holds the
 * server, the workspace and the project. A bare id is a project alone.
 */
export function planeAddress(text: string): Given {
  const found = new RegExp(`^(https?://[^/\\s]+)/([\\w-]+)/projects/(${uuid})(?:/|$)`).exec(text.trim());
  if (found === null) return { planeProject: text.trim() };
  const [, planeUrl = '', planeWorkspace = '', planeProject = ''] = found;
  return { planeUrl, planeWorkspace, planeProject };
}

/** `https://git.example.org/acme/shop` (also `….git`) holds server and repository; anything else is taken for `owner/name`. */
export function repoAddress(text: string): Given {
  const found = /^(https?:\/\/[^/\s]+)\/([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(text.trim());
  if (found === null) return { repo: text.trim() };
  const [, giteaUrl = '', repo = ''] = found;
  return { giteaUrl, repo };
}

/** The file's content. Defaults are left out: the file says what is particular to this installation. */
export function contentOf(answers: Answers): Record<string, unknown> {
  const { name, baseBranch, telegramChat, language } = answers;
  return {
    plane: { url: answers.planeUrl, workspace: answers.planeWorkspace },
    gitea: { url: answers.giteaUrl },
    ...(telegramChat === undefined ? {} : { telegram: { chatId: telegramChat } }),
    ...(language === undefined ? {} : { language }),
    projects: [
      {
        planeProject: answers.planeProject,
        repo: answers.repo,
        prefix: answers.prefix,
        ...(name === undefined ? {} : { name }),
        ...(baseBranch === undefined ? {} : { baseBranch }),
        approvers: answers.approvers,
      },
    ],
  };
}

/**
 * Checks the content as the program would, with every mistake at once.
 * @throws OrchError `usage`
 */
export async function assertValid(content: Record<string, unknown>): Promise<void> {
  const [{ settingsSchema, settingsJsonSchema }, { problemsOf }, { crossProblems }, { literalSecrets }] =
    await Promise.all([
      import('../../core/config/schema.ts'),
      import('../../core/config/problems.ts'),
      import('../../core/config/policies.ts'),
      import('../../core/config/secret-literals.ts'),
    ]);
  const secrets = literalSecrets(content);
  const result = settingsSchema.safeParse(content);
  const issues = problemsOf(result.success ? [] : result.error.issues, settingsJsonSchema(), () => true);
  const known = new Set(secrets.map(({ path }) => path));
  const problems = [...secrets, ...[...issues, ...crossProblems(content)].filter(({ path }) => !known.has(path))];
  if (problems.length === 0) return;
  const lines = problems.map(({ path, problem }) => `  ${path}: ${problem}`);
  throw new OrchError(`nothing was written; what was given has mistakes:\n${lines.join('\n')}`, {
    code: 'init_invalid',
    hint: 'Correct the flags; `orch init --help` shows an example.',
  });
}
