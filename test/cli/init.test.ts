import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orch } from '../support/orch.ts';
import { until } from '../support/until.ts';

const id = '5884114d-8f5c-4c1e-9d0a-3b8f6f1f2a10';
let world: World;
let root: string;
let folder: string;
let file: string;

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'orch-cli-init-world-'));
  world = await startWorld({ root, lagMs: 1, workerDelayMs: 1 });
});
afterAll(async () => {
  await world.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-cli-init-'));
  file = path.join(folder, 'orchestrator.config.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const complete = [
  ...['--plane-project', `https://plane.example.org/acme/projects/${id}/issues/`],
  ...[
    '--repo',
    'https://git.example.org/acme/shop.git',
    '--prefix',
    'ET',
    '--approver',
    'lead@example.org',
    'two@example.org',
  ],
];

function init(args: string[], env: Record<string, string> = {}) {
  return orch(['init', ...args], { cwd: folder, env });
}

function written(): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

/** Flags for the sandbox's own servers. */
function ofWorld(): string[] {
  const { plane, gitea, project } = world;
  return [
    ...['--plane-url', plane.url, '--plane-workspace', 'acme', '--plane-project', project.id],
    ...['--gitea-url', gitea.url, '--repo', 'acme/shop', '--approver', 'lead@example.org', '--yes'],
  ];
}

describe('from flags', () => {
  test('addresses are taken apart, the file is valid, and the next steps are named', async () => {
    const { status, stdout, stderr } = await init([...complete, '--yes']);
    expect(status, stderr).toBe(0);
    expect(written()).toEqual({
      plane: { url: 'https://plane.example.org', workspace: 'acme' },
      gitea: { url: 'https://git.example.org' },
      projects: [
        { planeProject: id, repo: 'acme/shop', prefix: 'ET', approvers: ['lead@example.org', 'two@example.org'] },
      ],
    });
    expect(stdout).toContain(`✓ ${file} is written\n`);
    expect(stdout).toContain('set ORCH_PLANE_API_TOKEN and ORCH_GITEA_TOKEN\n');
    for (const next of ['orch doctor', 'orch serve-poller', 'orch run-worker']) expect(stdout).toContain(next);
    expect((await orch(['config', 'check'], { cwd: folder })).status).toBe(0);
  });

  test('what is missing is named at once, and nothing is written', async () => {
    const { status, stderr } = await init(['--yes', '--repo', 'acme/shop', '--plane-project', id]);
    expect(status).toBe(2);
    expect(stderr).toContain('--plane-url, --plane-workspace, --gitea-url, --prefix, --approver are missing');
    expect(existsSync(file)).toBe(false);
  });

  test('mistakes are reported together, and nothing is written', async () => {
    const { status, stderr } = await init([
      ...complete,
      '--yes',
      '--prefix',
      'e t',
      '--plane-project',
      'nonsense',
      '--plane-url',
      'x',
      '--plane-workspace',
      'acme',
    ]);
    expect(status).toBe(2);
    for (const key of ['plane.url', 'projects[0].prefix', 'projects[0].planeProject'])
      expect(stderr).toContain(`  ${key}: `);
    expect(existsSync(file)).toBe(false);
  });

  test('a token is refused wherever it stands', async () => {
    const token = 'plane_api_0123456789abcdef';
    const inText = await init([...complete, '--yes', '--name', token]);
    expect(inText.status).toBe(2);
    expect(inText.stderr).toContain('projects[0].name: looks like a secret');
    const asFlag = await init([...complete, '--yes', '--plane-token', token]);
    expect(asFlag.status).toBe(2);
    expect(inText.stderr + asFlag.stderr).not.toContain(token);
    expect(existsSync(file)).toBe(false);
  });

  test('an existing file stays as it is without --force', async () => {
    writeFileSync(file, '{}');
    const kept = await init([...complete, '--yes']);
    expect(kept.status).toBe(2);
    expect(kept.stderr).toContain(`${file} exists and is left as it is`);
    expect(readFileSync(file, 'utf8')).toBe('{}');
    expect((await init([...complete, '--yes', '--force'])).status).toBe(0);
    expect(written()).toHaveProperty('projects');
  });

  test('--config names the file, --json answers with a document', async () => {
    const other = path.join(folder, 'other.json');
    const { stdout } = await init([...complete, '--yes', '--json', '--config', other]);
    expect(JSON.parse(stdout)).toEqual({
      schema_version: 1,
      file: other,
      written: true,
      missing_states: null,
      created_states: [],
    });
    expect(existsSync(file)).toBe(false);
    expect(existsSync(other)).toBe(true);
  });
});

describe('with the servers', () => {
  test('prefix, name and base branch are found out; tokens stay out of the file', async () => {
    const { status, stdout, stderr } = await init(ofWorld(), world.env);
    expect(status, stderr).toBe(0);
    expect(written()['projects']).toEqual([
      expect.objectContaining({ prefix: 'ET', name: 'Shop', baseBranch: 'main', planeProject: world.project.id }),
    ]);
    expect(stdout).toContain('✓ Plane has every state');
    for (const secret of Object.values(world.env)) expect(readFileSync(file, 'utf8')).not.toContain(secret);
  });

  test('missing states are named, and --create-states creates them, once', async () => {
    const { states } = world.plane.state;
    const bare = world.plane.addProject({ identifier: 'BA', name: 'Bare' }, world.people.lead);
    const names = (): string[] => states.filter((state) => state.project === bare.id).map(({ name }) => name);
    const before = names();
    const flags = [...ofWorld(), '--plane-project', bare.id];
    const said = await init(flags, world.env);
    expect(said.status, said.stderr).toBe(0);
    expect(said.stderr).toContain('Plane has no state In Review, Needs Input, Blocked');
    expect(names()).toEqual(before);
    const created = await init(['--create-states', '--yes'], world.env);
    expect(created.status, created.stderr).toBe(0);
    expect(created.stdout).toContain('✓ created in Plane: In Review, Needs Input, Blocked');
    expect(created.stdout).not.toContain('is written');
    expect(names().slice(before.length)).toEqual(['In Review', 'Needs Input', 'Blocked']);
    const again = await init(['--create-states', '--yes'], world.env);
    expect(again.stdout).toContain('✓ Plane has every state');
    expect(names()).toHaveLength(before.length + 3);
  });

  test('a refused token stops nothing but is reported; --create-states fails on it', async () => {
    const env = { ...world.env, ORCH_PLANE_API_TOKEN: 'plane_api_wrong' };
    const { status, stderr } = await init([...ofWorld(), '--prefix', 'ET'], env);
    expect(status).toBe(0);
    expect(stderr).toContain('Given API token is not valid');
    expect(existsSync(file)).toBe(true);
    expect((await init(['--create-states', '--yes'], env)).status).toBe(4);
  });
});

describe('at a terminal', () => {
  /** The program on a pseudo-terminal (`script` of util-linux); answers are typed when their question is there. */
  async function talk(dialogue: [question: string, answer: string][], env: Record<string, string> = {}) {
    const bin = path.resolve(import.meta.dirname, '../../bin/orch.js');
    const child = spawn('/usr/bin/script', ['-qec', `"${process.execPath}" "${bin}" init`, '/dev/null'], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8', TERM: 'dumb', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const status = new Promise<number | null>((resolve) => child.once('close', resolve));
    let from = 0;
    for (const [question, answer] of dialogue) {
      await until(`the question "${question}" in:\n${text}`, () => text.includes(question, from));
      from = text.indexOf(question, from) + question.length;
      child.stdin.write(answer);
    }
    return { status: await status, text };
  }

  test('it asks only for what is missing', async () => {
    const { status, text } = await talk([
      ['Plane project', `https://plane.example.org/acme/projects/${id}/\r`],
      ['Repository', 'acme/shop\r'],
      ['Address of Gitea', '\r'],
      ['Prefix', 'et\r'],
      ['Who may approve', 'lead@example.org, two@example.org\r'],
    ]);
    expect(status, text).toBe(0);
    expect(text).not.toContain('Address of Plane');
    expect(written()).toEqual({
      plane: { url: 'https://plane.example.org', workspace: 'acme' },
      gitea: { url: 'http://127.0.0.1:3000' },
      projects: [
        { planeProject: id, repo: 'acme/shop', prefix: 'ET', approvers: ['lead@example.org', 'two@example.org'] },
      ],
    });
  });

  test('Ctrl-C ends it, and nothing is written', async () => {
    const { status, text } = await talk([['Plane project', '\u0003']]);
    expect(status, text).toBe(1);
    expect(existsSync(file)).toBe(false);
  });
});
