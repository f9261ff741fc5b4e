import { OrchError } from '../model/index.ts';
import { printable } from '../platform/printable.ts';
import { Redactor } from '../platform/redact.ts';
import type { GitAnswer } from './run.ts';

/** Longest excerpt of what git and the server said, characters. */
const longest = 300;
/** Refusals of a push that are the server's own trouble and pass by themselves. */
const passing =
  /cannot lock(?!.*exists; cannot create)|failed to (update|lock|write)|unpacker error|internal server error|timed? ?out/i;
/** Refusals of a request that speak of the moment: a proxy's login, a slow client, too early, too many. */
const passingStatuses = [407, 408, 425, 429];
/** What both sides say while they work. */
const progress = /^remote: (\w+ing (objects|deltas|references)|Total \d|.*:\s+\d+% \()/;
/** What helps against a status that a proxy, or a full server, answers to every push of the same size. */
const cures: Record<number, string> = {
  411: 'Let the proxy in front of Gitea take requests whose length is not known beforehand (chunked, HTTP/1.1).',
  413: 'Raise the size limit of the proxy in front of Gitea (nginx: client_max_body_size), or take large files out of the work.',
  507: "Free disk space on Gitea's server.",
};

/**
 * What a failed exchange with the server means. Judged by git's own lines only, never by those of the server (`remote:`):
 * a hook may say anything, "404 not found" too.
 * @param secrets taken out of everything that is repeated: a proxy may echo the request
 */
export function explainRemote(repo: string, verb: string, secrets: string[]): (answer: GitAnswer) => OrchError {
  return (answer) => {
    const own = linesOf(answer.stderr, /^(fatal|error):/);
    const remote = linesOf(answer.stderr, /^remote:/)
      .filter((line) => !progress.test(line))
      .slice(0, 5);
    const refused = /^!\t[^\t]*\t\[(?:remote )?rejected\] \((.*)\)$/m.exec(answer.stdout)?.[1];
    if (refused !== undefined) return refusal(repo, refused, remote, secrets);
    const words = excerpt(
      remote.map((line) => line.replace(/^remote:\s*/, '')),
      secrets,
    );
    const said = excerpt([...own.slice(0, 3), ...remote], secrets);
    return meaning({ text: own.join('\n'), words, said }, repo, verb) ?? unreachable(repo, said);
  };
}

interface Heard {
  /** git's own lines. */
  text: string;
  /** What the server wrote in its answer; chooses between the meanings of one status, nothing more. */
  words: string;
  /** Both, for a person. */
  said: string;
}

function meaning({ text, words, said }: Heard, repo: string, verb: string): OrchError | null {
  const status = Number(/\b(?:error:|HTTP) (\d{3})\b/.exec(text)?.[1] ?? 0);
  const told = words === '' ? '' : `: ${words}`;
  if (status === 403 && /\b(archived|mirror|read-only)\b/i.test(words)) {
    return new OrchError(`Gitea takes no push to ${repo}${told}`, {
      code: 'git_read_only',
      hint: 'Unarchive the repository, or make the mirror an ordinary one (Settings of the repository in Gitea).',
    });
  }
  if (
    [401, 403].includes(status) ||
    /Authentication failed|could not read (Username|Password)|terminal prompts disabled/i.test(text)
  ) {
    return new OrchError(`Gitea refused the token for ${repo} (git ${verb})${told}`, {
      code: 'git_token_refused',
      hint: 'Give a token with the scope write:repository of an account that may push to the repository.',
    });
  }
  if (/matches more than one/.test(text)) return ambiguous(repo);
  if (/support this repository's hash algorithm|mismatched algorithms/i.test(text)) return sha256(repo);
  if (status === 404 || /repository '.*' not found/i.test(text)) {
    return new OrchError(`Gitea has no repository ${repo} that the token can see`, {
      code: 'git_repo_missing',
      hint: 'Check `repo` of the project and the rights of the token.',
    });
  }
  if (status >= 300 && status < 400) {
    return new OrchError(`the server sends requests for ${repo} elsewhere, and the token does not follow`, {
      code: 'git_redirected',
      hint: 'Give the final address as `gitea.url`, and the name that the repository has now.',
    });
  }
  if ((status >= 400 && status < 500 && !passingStatuses.includes(status)) || status === 507) {
    return new OrchError(`the server answers git ${verb} for ${repo} with ${status}: ${said}`, {
      code: 'git_refused',
      hint: cures[status] ?? 'Look at the log of Gitea, and of the proxy in front of it.',
    });
  }
  return null;
}

/** The lease did not fit although nobody moved the branch (the caller looks): git met another ref that has its name within. */
function ambiguous(repo: string): OrchError {
  return new OrchError(
    `${repo} has a branch or tag that is named like a full ref (refs/heads/…): git takes it for another`,
    {
      code: 'git_branch_in_way',
      hint: 'List them with `git ls-remote <address> "*refs/heads/refs/*" "*refs/tags/refs/*"`, and delete them there.',
    },
  );
}

/** orch's bare copies and the form of every commit id it reads are SHA-1. */
export function sha256(repo: string): OrchError {
  return new OrchError(`${repo} keeps its objects as SHA-256; orch works with SHA-1 repositories only`, {
    code: 'git_sha256',
    hint: 'Make the repository again with the object format SHA-1, and push its files there.',
  });
}

/** The server had the commit and did not take it. */
function refusal(repo: string, reason: string, remote: string[], secrets: string[]): OrchError {
  const words = excerpt([reason, ...remote.slice(0, 5)], secrets);
  if (reason === 'stale info') return ambiguous(repo);
  return new OrchError(`Gitea refused the push to ${repo}: ${words}`, {
    code: passing.test(reason) ? 'git_push_failed' : 'git_push_refused',
    hint: 'Look at the branch protection and the hooks of the repository.',
  });
}

/** What git's curl says of a certificate, and of a proxy, in its versions and TLS libraries. */
const certificate = /certificate|SSL: no alternative|unable to get local issuer/i;
const proxy = /\bproxy\b|CONNECT tunnel failed/i;

function unreachable(repo: string, said: string): OrchError {
  if (proxy.test(said))
    return new OrchError(`Gitea cannot be reached for ${repo}, the proxy does not help: ${said}`, {
      code: 'git_unreachable',
      hint: 'Check the proxy in https_proxy or http_proxy and its login, or name the server in no_proxy.',
    });
  if (certificate.test(said))
    return new OrchError(`Gitea cannot be reached for ${repo}, its certificate is not trusted: ${said}`, {
      code: 'git_unreachable',
      hint: 'Give the file of the authority that signed it (PEM) as tls.caFile; see docs/network.md.',
    });
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
