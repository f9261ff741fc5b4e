import { OrchError } from '../model/index.ts';
import { printable } from '../platform/printable.ts';
import { Redactor } from '../platform/redact.ts';
import type { GitAnswer } from './run.ts';

/** Longest excerpt of what git and the server said, characters. */
const longest = 300;
/** Refusals of a push that are the server's own trouble and pass by themselves. */
const passing = /cannot lock|failed to (update|lock|write)|unpacker error|internal server error|timed? ?out/i;

/**
 * What a failed exchange with the server means. Judged by git's own lines only, never by those of the server (`remote:`):
 * a hook may say anything, "404 not found" too.
 * @param secrets taken out of everything that is repeated: a proxy may echo the request
 */
export function explainRemote(repo: string, verb: string, secrets: string[]): (answer: GitAnswer) => OrchError {
  return (answer) => {
    const own = linesOf(answer.stderr, /^(fatal|error):/);
    const said = excerpt([...own.slice(0, 3), ...linesOf(answer.stderr, /^remote:/).slice(0, 5)], secrets);
    const refused = /^!\t[^\t]*\t\[(?:remote )?rejected\] \((.*)\)$/m.exec(answer.stdout)?.[1];
    if (refused !== undefined) return refusal(repo, refused, linesOf(answer.stderr, /^remote:/), secrets);
    return meaning(own.join('\n'), repo, verb) ?? unreachable(repo, said);
  };
}

function meaning(text: string, repo: string, verb: string): OrchError | null {
  if (
    /Authentication failed|error: 40[13]\b|could not read (Username|Password)|terminal prompts disabled/i.test(text)
  ) {
    return new OrchError(`Gitea refused the token for ${repo} (git ${verb})`, {
      code: 'git_token_refused',
      hint: 'Give a token with the scope write:repository of an account that may push to the repository.',
    });
  }
  if (/repository '.*' not found|error: 404\b/i.test(text)) {
    return new OrchError(`Gitea has no repository ${repo} that the token can see`, {
      code: 'git_repo_missing',
      hint: 'Check `repo` of the project and the rights of the token.',
    });
  }
  if (/error: 30[1-8]\b/.test(text)) {
    return new OrchError(`the server sends requests for ${repo} elsewhere, and the token does not follow`, {
      code: 'git_redirected',
      hint: 'Give the final address as `gitea.url`, and the name that the repository has now.',
    });
  }
  return null;
}

/** The server had the commit and did not take it. */
function refusal(repo: string, reason: string, remote: string[], secrets: string[]): OrchError {
  const words = excerpt([reason, ...remote.slice(0, 5)], secrets);
  return new OrchError(`Gitea refused the push to ${repo}: ${words}`, {
    code: passing.test(reason) ? 'git_push_failed' : 'git_push_refused',
    hint: 'Look at the branch protection and the hooks of the repository.',
  });
}

function unreachable(repo: string, said: string): OrchError {
  return new OrchError(`Gitea cannot be reached for ${repo}: ${said === '' ? 'no answer' : said}`, {
    code: 'git_unreachable',
    hint: 'Check that Gitea is running and that its configured address is right.',
  });
}

function linesOf(text: string, kind: RegExp): string[] {
  return text.split(/[\r\n]+/).filter((line) => kind.test(line) && line.replace(/^remote:/, '').trim() !== '');
}

function excerpt(lines: string[], secrets: string[]): string {
  const text = lines.map((line) => line.trim()).join('; ');
  return new Redactor(secrets).redact(printable(text)).slice(0, longest);
}
