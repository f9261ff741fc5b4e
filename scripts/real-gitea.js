// Builds a Gitea server from its published Go module, once per machine and version, for the tests against a real one.
// `node scripts/real-gitea.js ensure` prints the path of the binary; progress goes to stderr.
// The module has `replace` directives, which `go install module@version` refuses: so it is downloaded through the module
// proxy, copied out and built in the copy. Without the build tag `bindata` templates and options are read from the copy.
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** The newest version whose module and dependencies can all be had and whose API the adapter is written for. */
const giteaVersion = '1.26.0';

const minute = 60_000;

function cacheFolder() {
  const cache = process.env.XDG_CACHE_HOME;
  return path.join(cache && path.isAbsolute(cache) ? cache : path.join(homedir(), '.cache'), 'orch-real');
}

/** The finished build, or null. A build is renamed into place as a whole, so what exists is complete. */
function finished(folder) {
  const binary = path.join(folder, 'gitea');
  const staticRoot = path.join(folder, 'src');
  try {
    accessSync(binary, constants.X_OK);
  } catch {
    return null;
  }
  return existsSync(path.join(staticRoot, 'templates')) && existsSync(path.join(staticRoot, 'options'))
    ? { binary, staticRoot }
    : null;
}

function say(text) {
  process.stderr.write(`gitea ${giteaVersion}: ${text}\n`);
}

/**
 * Path of a Gitea binary and of the folder it reads templates and options from; built on first use.
 * @returns {Promise<{ binary: string, staticRoot: string } | { missing: string }>} `missing` says why it cannot be had
 */
export async function ensureGitea() {
  const folder = path.join(cacheFolder(), `gitea-${giteaVersion}`);
  const there = finished(folder);
  if (there) return there;
  for (const tool of ['go', 'gcc', 'git', 'flock']) {
    if (!onPath(tool)) return { missing: `${tool} is not on the PATH, and Gitea has to be built from source` };
  }
  mkdirSync(cacheFolder(), { recursive: true });
  const unlock = await lock(`${folder}.lock`);
  try {
    return finished(folder) ?? (await build(folder));
  } catch (error) {
    return { missing: `Gitea ${giteaVersion} could not be built: ${error.message}` };
  } finally {
    unlock();
  }
}

async function build(folder) {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  say('downloading the module');
  const module = `code.gitea.io/gitea@v${giteaVersion}`;
  // In an empty folder, so that no go.mod above this one takes part.
  const answer = JSON.parse(
    await run('go', ['mod', 'download', '-json', module], { cwd: partial, limit: 10 * minute }),
  );
  if (!answer.Dir) throw new Error(answer.Error ?? 'go mod download named no folder');
  const source = path.join(partial, 'src');
  await run('cp', ['-R', answer.Dir, source], { limit: 5 * minute });
  await run('chmod', ['-R', 'u+w', source], { limit: minute });
  const started = Date.now();
  say('building (3 to 10 minutes with a cold cache)');
  const ticker = setInterval(() => say(`still building, ${Math.round((Date.now() - started) / 1000)} s`), 30_000);
  try {
    await run(
      'go',
      [
        'build',
        '-buildvcs=false',
        '-tags',
        'sqlite sqlite_unlock_notify',
        '-ldflags',
        `-X main.Version=${giteaVersion}`,
        '-o',
        path.join(partial, 'gitea'),
        '.',
      ],
      { cwd: source, limit: 40 * minute, env: { CGO_ENABLED: '1' } },
    );
  } finally {
    clearInterval(ticker);
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
  say(`built in ${Math.round((Date.now() - started) / 1000)} s`);
  const built = finished(folder);
  if (!built) throw new Error('the build left no usable files');
  return built;
}

/** Waits for the lock; the kernel frees it when this process dies, however it dies. Answers the function that frees it. */
function lock(file) {
  return new Promise((resolve, reject) => {
    const holder = spawn('flock', [file, 'sh', '-c', 'echo locked; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const waiting = setTimeout(() => say('another process is building it; waiting'), 2000);
    holder.once('error', reject);
    holder.once('exit', (code) => reject(new Error(`flock ended with ${code}`)));
    holder.stdout.once('data', () => {
      clearTimeout(waiting);
      resolve(() => holder.stdin.end());
    });
  });
}

function onPath(tool) {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, tool), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

/** Runs a program to its end and answers its stdout; a failure carries the last lines of what it wrote. */
function run(program, args, { cwd, limit, env = {} }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limit,
      killSignal: 'SIGKILL',
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err = (err + chunk).slice(-4000)));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(out);
      // `go mod download -json` reports its error on stdout.
      const lines = (err.trim() || out.trim()).split('\n').slice(-5).join(' | ');
      reject(new Error(`${program} ${args[0]} ended with ${signal ?? code}: ${lines}`));
    });
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv[2] !== 'ensure') {
    process.stderr.write('usage: node scripts/real-gitea.js ensure\n');
    process.exitCode = 2;
  } else {
    const result = await ensureGitea();
    if ('missing' in result) {
      process.stderr.write(`${result.missing}\n`);
      process.exitCode = 1;
    } else process.stdout.write(`${result.binary}\n`);
  }
}
