import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../core/platform/clock.ts';
import { packageRoot } from '../core/platform/files.ts';
import { startGitea } from './gitea/server.ts';
import type { SandboxGitea } from './gitea/server.ts';
import type { GiteaUser, Repo } from './gitea/state.ts';
import { startPlane } from './plane/server.ts';
import type { SandboxPlane } from './plane/server.ts';
import type { PlaneUser, Project } from './plane/state.ts';
import { startTelegram } from './telegram.ts';
import type { SandboxTelegram } from './telegram.ts';

export interface WorldOptions {
  /** Folder for everything: repositories, orch's state. Made when it is missing, never removed. */
  root: string;
  /** Command of every role, an argument array. Default: the compiled scripted agent. */
  agentCommand?: string[];
  /** Script of the scripted agent (`writeAgentScript`); on its command line, because agents get no `ORCH_*` variable of the caller. */
  agentScript?: string;
  clock?: Clock;
  giteaVersion?: string;
  legacyPlane?: boolean;
  /** Default 6000: nothing of a test or of the demo is slowed down by it. */
  rateLimitPerMinute?: number;
  lagMs?: number;
  workerDelayMs?: number;
}

/** Three servers with one registered project, and everything a configuration needs. */
export interface World {
  plane: SandboxPlane;
  gitea: SandboxGitea;
  telegram: SandboxTelegram;
  project: Project;
  repo: Repo;
  /** `bot` is orch's account; `lead` may approve, `guest` may not; `reviewer` is a second account on the Gitea side. */
  people: { bot: PlaneUser; lead: PlaneUser; member: PlaneUser; guest: PlaneUser };
  accounts: { owner: GiteaUser; bot: GiteaUser; reviewer: GiteaUser };
  /** Content of `orchestrator.config.json`; no secrets in it. */
  config: Record<string, unknown>;
  /** The secrets, as variables. */
  env: Record<string, string>;
  close(): Promise<void>;
}

const sampleProject: Record<string, string> = {
  'README.md': '# Shop\n\nA very small shop. `make test` runs its tests.\n',
  'package.json': '{ "name": "shop", "version": "1.0.0", "type": "module", "private": true }\n',
  Makefile: 'test:\n\tnode --test\n\n.PHONY: test\n',
  'src/cart.js':
    '/** Price of a cart in cents. */\nexport function total(lines) {\n  return lines.reduce((sum, line) => sum + line.cents * line.quantity, 0);\n}\n',
  'test/cart.test.js':
    "import assert from 'node:assert/strict';\nimport { test } from 'node:test';\nimport { total } from '../src/cart.js';\n\ntest('a cart adds up', () => {\n  assert.equal(total([{ cents: 250, quantity: 2 }]), 500);\n});\n",
};

const states = [
  { name: 'In Review', group: 'started' },
  { name: 'Needs Input', group: 'started' },
  { name: 'Blocked', group: 'started' },
];

/** Starts Plane, Gitea and Telegram with a project `ET` that maps to `acme/shop`. Ends with `close()`. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const clock = options.clock === undefined ? {} : { clock: options.clock };
  const repositories = path.join(options.root, 'repositories');
  await mkdir(repositories, { recursive: true });
  const plane = await startPlane({
    ...clock,
    rateLimitPerMinute: options.rateLimitPerMinute ?? 6000,
    legacy: options.legacyPlane ?? false,
    ...(options.workerDelayMs === undefined ? {} : { workerDelayMs: options.workerDelayMs }),
  });
  const gitea = await startGitea({
    ...clock,
    root: repositories,
    ...(options.giteaVersion === undefined ? {} : { version: options.giteaVersion }),
    ...(options.lagMs === undefined ? {} : { lagMs: options.lagMs }),
  });
  const telegram = await startTelegram();
  const people = {
    bot: plane.addUser({ email: 'orch@example.org', displayName: 'orch' }),
    lead: plane.addUser({ email: 'lead@example.org', displayName: 'Lead' }),
    member: plane.addUser({ email: 'member@example.org', displayName: 'Member' }),
    guest: plane.addUser({ email: 'guest@example.org', displayName: 'Guest', role: 'guest' }),
  };
  const project = plane.addProject({ identifier: 'ET', name: 'Shop', states }, people.lead);
  const accounts = {
    owner: gitea.addUser({ login: 'acme' }),
    bot: gitea.addUser({ login: 'orch-bot', email: 'orch@example.org' }),
    reviewer: gitea.addUser({ login: 'orch-reviewer' }),
  };
  const repo = await gitea.addRepo({ owner: accounts.owner, name: 'shop', files: sampleProject });
  gitea.grant(repo, accounts.bot, 'write');
  gitea.grant(repo, accounts.reviewer, 'write');
  return {
    plane,
    gitea,
    telegram,
    project,
    repo,
    people,
    accounts,
    config: configOf(options, plane, gitea, telegram, project),
    env: {
      ORCH_PLANE_API_TOKEN: people.bot.token,
      ORCH_GITEA_TOKEN: accounts.bot.tokens[0]?.value ?? '',
      ORCH_TELEGRAM_BOT_TOKEN: telegram.token,
    },
    close: async () => void (await Promise.all([plane.close(), gitea.close(), telegram.close()])),
  };
}

/** The scripted agent of the installed program, as an argument array. */
function builtAgent(): string[] {
  return [process.execPath, path.join(packageRoot(), 'dist', 'sandbox', 'agent', 'scripted-agent.cjs')];
}

function configOf(
  options: WorldOptions,
  plane: SandboxPlane,
  gitea: SandboxGitea,
  telegram: SandboxTelegram,
  project: Project,
): Record<string, unknown> {
  const script = options.agentScript === undefined ? [] : ['--agent-script', options.agentScript];
  return {
    plane: { url: plane.url, workspace: plane.state.workspace.slug },
    gitea: { url: gitea.url },
    telegram: { chatId: '-1001', apiUrl: telegram.url },
    language: 'en',
    stateDir: path.join(options.root, 'state'),
    poll: { planeRequestsPerMinute: options.rateLimitPerMinute ?? 6000 },
    agent: {
      command: [...(options.agentCommand ?? builtAgent()), ...script],
      kind: 'claude',
      sandbox: 'none',
    },
    projects: [
      {
        planeProject: project.id,
        repo: 'acme/shop',
        prefix: project.identifier,
        name: project.name,
        baseBranch: 'main',
        approvers: ['lead@example.org'],
        gates: { development: 'ci-green', review: ['reviewer-verdict'] },
        deploy: { merge: 'orch', mergeStyle: 'merge' },
      },
    ],
  };
}
