import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { systemClock, type Clock } from '../../src/core/platform/clock.ts';
import type { GiteaUser, Pull, Repo, StatusRow } from '../../src/sandbox/gitea/state.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import type { PlaneState, PlaneUser, Project } from '../../src/sandbox/plane/state.ts';
import type { World } from '../../src/sandbox/world.ts';
import { startLine, type Line } from './line.ts';

const folder = path.resolve(import.meta.dirname, '../fixtures/orch-0.1.0');
const hourMs = 3_600_000;

function read(name: string): string {
  return readFileSync(path.join(folder, name), 'utf8');
}

/** Writes the database of version 0.1.0; `texts` takes the place of names in the fixture. */
function writeOldDatabase(file: string, texts: Record<string, string>): void {
  const db = new Database(file);
  try {
    db.exec(filled(read('database.sql'), texts));
  } finally {
    db.close();
  }
}

/**
 * Everything around the database is as it was when its host lost power, an hour later: items and comments, branches and
 * pull requests, the chat. The host is this one, started again since; its workspaces and run folders are gone.
 */
export async function startOldLine(): Promise<Line> {
  const plane = JSON.parse(read('plane.json')) as SavedPlane;
  const clock = laterThan(plane.lastStamp / 1000 + hourMs);
  return startLine({
    clock,
    appClock: clock,
    prepare: (world) => {
      const root = path.dirname(world.gitea.state.root);
      const texts = {
        '@ROOT@': root,
        '@PLANE@': world.plane.url,
        '@GITEA@': world.gitea.url,
        '@TELEGRAM@': world.telegram.url,
        'old-host': hostname(),
      };
      restorePlane(world, plane);
      restoreGitea(world, JSON.parse(filled(read('gitea.json'), texts)) as SavedGitea);
      world.telegram.messages.push(
        ...(JSON.parse(filled(read('telegram.json'), texts)) as World['telegram']['messages']),
      );
      mkdirSync(path.join(root, 'state'), { mode: 0o700 });
      writeOldDatabase(path.join(root, 'state', 'orch.db'), texts);
      startCi(world.gitea, world.repo, { decide: () => 'success' });
      return Promise.resolve();
    },
    configure: (whole) => {
      const [own] = whole['projects'] as Record<string, unknown>[];
      const pipelines = {
        quick: { stages: ['development', 'deploy'], label: 'quick' },
        code: { stages: ['development', 'review', 'testing'], label: 'code' },
        paper: { stages: ['analysis'], label: 'paper' },
      };
      const [{ id = '' } = {}] = plane.projects;
      Object.assign(whole, {
        worker: { maxConcurrency: 2 },
        projects: [{ ...own, planeProject: id, pipelines, caps: { dollars: 100 } }],
      });
    },
  });
}

/** A clock that runs on from a moment: whatever the day of the test is, the database was written an hour ago. */
function laterThan(at: number): Clock {
  const ahead = at - Date.now();
  return { now: () => Math.round(Date.now() + ahead), sleep: systemClock.sleep };
}

function filled(text: string, texts: Record<string, string>): string {
  return Object.entries(texts).reduce((all, [name, value]) => all.replaceAll(name, value), text);
}

type SavedPlane = Pick<
  PlaneState,
  'lastStamp' | 'states' | 'labels' | 'items' | 'comments' | 'links' | 'activities' | 'stateWrites'
> & {
  users: Omit<PlaneUser, 'token'>[];
  projects: (Omit<Project, 'members'> & { members: Record<string, number> })[];
};

function restorePlane({ plane, project }: World, { users, projects, ...rows }: SavedPlane): void {
  Object.assign(plane.state, rows);
  for (const user of plane.state.users)
    Object.assign(
      user,
      users.find(({ email }) => email === user.email),
    );
  const [saved] = projects;
  Object.assign(project, saved, { members: new Map(Object.entries(saved?.members ?? {})) });
}

interface SavedGitea {
  nextId: number;
  users: Omit<GiteaUser, 'tokens'>[];
  labels: Repo['labels'];
  pulls: Pull[];
  statuses: StatusRow[];
}

function restoreGitea({ gitea, repo }: World, { nextId, users, ...rows }: SavedGitea): void {
  Object.assign(repo, rows);
  for (const user of gitea.state.users)
    Object.assign(
      user,
      users.find(({ login }) => login === user.login),
    );
  gitea.state.nextId = nextId;
  const git = (args: string[], input = ''): string =>
    execFileSync('git', ['-C', repo.dir, ...args], { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] });
  // Commits keep their ids: what is imported is what was exported, to the byte.
  git(['fast-import', '--quiet', '--force'], read('repository.txt'));
  repo.heads.clear();
  for (const line of git(['for-each-ref', '--format=%(refname:lstrip=2) %(objectname)', 'refs/heads'])
    .trim()
    .split('\n')) {
    const [name = '', sha = ''] = line.split(' ');
    repo.heads.set(name, sha);
  }
}
