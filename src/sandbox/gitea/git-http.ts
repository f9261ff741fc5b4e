import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { gitEnvironment } from './git.ts';
import { answered, keepAnswer, refQuestion, refsOf } from './ref-answers.ts';
import type { GitReply } from './ref-answers.ts';
import { syncRefs } from './refs.ts';
import { findRepo, identify } from './reply.ts';
import { accessOf, canWrite, protectionOf } from './state.ts';
import type { GiteaState, Repo } from './state.ts';

const gitPath = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack|HEAD|objects\/.+)$/;

/**
 * git over HTTP: `git http-backend` over the bare repositories, behind the same tokens as the API.
 * @returns whether the request was one of git's
 */
export function serveGit(
  state: GiteaState,
  children: Set<ChildProcess>,
  req: IncomingMessage,
  res: ServerResponse,
): boolean {
  const url = new URL(req.url ?? '/', 'http://sandbox');
  const parts = gitPath.exec(url.pathname);
  if (parts === null || url.pathname.startsWith('/api/')) return false;
  const [, owner = '', name = '', rest = ''] = parts;
  const writes = rest === 'git-receive-pack' || url.searchParams.get('service') === 'git-receive-pack';
  const repo = findRepo(state, decodeURIComponent(owner), decodeURIComponent(name));
  const who = identify(state, req.headers.authorization);
  const login = typeof who === 'string' ? '' : who.user.login;
  if (who === 'bad' || (who === 'none' && (repo === undefined || repo.private || writes))) {
    refuse(req, res, 401, 'Unauthorized', { 'www-authenticate': 'Basic realm="Gitea"' });
  } else if (repo === undefined || accessOf(repo, login) === null) {
    refuse(req, res, 404, 'Repository not found');
  } else if (writes && (repo.archived || !canWrite(repo, login))) {
    refuse(req, res, 403, repo.archived ? 'This repo is archived.' : 'User permission denied for writing.');
  } else {
    const call = { state, children, repo, login, rest, url, req, res };
    void serveRepo(call).catch(() => res.destroy());
  }
  return true;
}

function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  req.resume();
  res.writeHead(status, { 'content-type': 'text/plain', ...headers });
  res.end(`${body}\n`);
}

/** A request that is allowed. */
interface GitCall {
  state: GiteaState;
  children: Set<ChildProcess>;
  repo: Repo;
  login: string;
  /** Path below the repository. */
  rest: string;
  url: URL;
  req: IncomingMessage;
  res: ServerResponse;
}

/** Bodies up to this size are read before git is started: a question about refs has a few hundred bytes. */
const maxQuestionBytes = 64 * 1024;

/** Asks git, unless it was asked the same when the refs were the same: most requests are about refs that nobody has moved. */
async function serveRepo(call: GitCall): Promise<void> {
  const { repo, rest, url, req, res } = call;
  const length = Number(req.headers['content-length'] ?? Infinity);
  const small = req.headers['content-encoding'] === undefined && length <= maxQuestionBytes;
  const body = req.method === 'POST' && small ? Buffer.concat(await req.toArray()) : null;
  const protocol = String(req.headers['git-protocol'] ?? '');
  const question = refQuestion(req.method ?? '', `${rest}${url.search}`, protocol, body);
  if (question === null) return backend(call, body);
  const refs = refsOf(repo, question);
  const known = answered(repo, question, refs);
  if (known !== undefined) {
    res.writeHead(known.status, known.headers);
    return void res.end(known.body);
  }
  backend(call, body, (reply) => {
    if (reply.status === 200 && refsOf(repo, question) === refs) keepAnswer(repo, question, refs, reply);
  });
}

/** @param ended hears what git answered, when it did to the end */
function backend(call: GitCall, body: Buffer | null, ended?: (reply: GitReply) => void): void {
  const { state, children, repo, login, rest, url, req, res } = call;
  const locked = [...repo.heads.keys(), repo.defaultBranch].filter(
    (branch) => protectionOf(repo, branch)?.enablePush === false,
  );
  program ??= path.join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend');
  const child = spawn(program, [], {
    env: gitEnvironment({
      GIT_PROJECT_ROOT: path.resolve(state.root),
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: `/${repo.owner}/${repo.name}.git/${rest}`,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: req.method ?? 'GET',
      CONTENT_TYPE: req.headers['content-type'] ?? '',
      REMOTE_USER: login,
      REMOTE_ADDR: '127.0.0.1',
      ORCH_SANDBOX_LOCKED: locked.map((branch) => `refs/heads/${branch}`).join('\n'),
      ...(req.headers['content-length'] === undefined ? {} : { CONTENT_LENGTH: req.headers['content-length'] }),
      ...(req.headers['content-encoding'] === undefined
        ? {}
        : { HTTP_CONTENT_ENCODING: req.headers['content-encoding'] }),
      ...(typeof req.headers['git-protocol'] === 'string' ? { GIT_PROTOCOL: req.headers['git-protocol'] } : {}),
    }),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  children.add(child);
  child.stdin.on('error', () => {});
  if (body === null) req.pipe(child.stdin);
  else child.stdin.end(body);
  // A request cut off in its middle: git 2.39's http-backend would read the missing bytes in a loop that never ends.
  req.once('close', () => void (req.complete || child.kill('SIGKILL')));
  // The pull requests follow a push before its client hears that it went through, as with Gitea's post-receive hook.
  const writes = rest === 'git-receive-pack';
  passOn(child, res, {
    before: () => (writes ? syncRefs(state, repo, login) : Promise.resolve()),
    done: () => children.delete(child),
    ended,
  });
}

/** `git http-backend` itself: through `git` there would be a process more for every request. */
let program: string | undefined;

interface Steps {
  /** Runs when the process is done and the last bytes are still held back. */
  before: () => Promise<void>;
  done: () => void;
  ended?: ((reply: GitReply) => void) | undefined;
}

/** Turns the CGI answer into an HTTP one. */
function passOn(child: ChildProcess, res: ServerResponse, { before, done, ended }: Steps): void {
  let head = Buffer.alloc(0);
  let reply: GitReply | null = null;
  const kept: Buffer[] = [];
  let held: Buffer | null = null;
  child.stdout?.on('data', (chunk: Buffer) => {
    if (reply !== null) {
      if (held !== null) res.write(held);
      held = chunk;
      if (ended !== undefined) kept.push(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const headers: Record<string, string> = {};
    let status = 200;
    for (const line of head.subarray(0, end).toString('utf8').split('\r\n')) {
      const colon = line.indexOf(':');
      const [key, value] = [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
      if (key === 'status') status = Number.parseInt(value, 10);
      else headers[key] = value;
    }
    res.writeHead(status, headers);
    held = head.subarray(end + 4);
    kept.push(held);
    reply = { status, headers, body: held };
  });
  child.once('close', (code) => {
    done();
    if (reply !== null && code === 0) ended?.({ ...reply, body: Buffer.concat(kept) });
    void before().then(
      () => {
        if (reply === null) res.writeHead(500);
        res.end(held ?? '');
      },
      () => res.destroy(),
    );
  });
  child.once('error', () => res.destroy());
}

/** Refuses a push to a protected branch, with the words Gitea's hook uses. */
export const preReceiveHook = `#!/bin/sh
while read -r _old _new ref; do
  if printf '%s\\n' "$ORCH_SANDBOX_LOCKED" | grep -qxF -- "$ref"; then
    echo "" >&2
    echo "Gitea: Not allowed to push to protected branch \${ref#refs/heads/}" >&2
    exit 1
  fi
done
exit 0
`;
