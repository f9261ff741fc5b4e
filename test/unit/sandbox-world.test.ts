import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/core/config/load.ts';
import { startTelegram, tooManyRequests } from '../../src/sandbox/telegram.ts';
import type { SandboxTelegram } from '../../src/sandbox/telegram.ts';
import { startWorld } from '../../src/sandbox/world.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

describe('telegram', () => {
  async function sink(): Promise<SandboxTelegram> {
    const telegram = await startTelegram();
    cleanups.push(() => telegram.close());
    return telegram;
  }
  const send = async (
    telegram: SandboxTelegram,
    body: unknown,
    token = telegram.token,
  ): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`${telegram.url}/bot${token}/sendMessage`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  test('keeps what it takes and refuses what the real one refuses', async () => {
    const telegram = await sink();
    expect((await send(telegram, { chat_id: '-1001', text: '<b>a</b> &lt;x&gt;', parse_mode: 'HTML' })).status).toBe(
      200,
    );
    expect(telegram.messages).toEqual([{ id: 1, chatId: '-1001', text: '<b>a</b> &lt;x&gt;', parseMode: 'HTML' }]);
    expect((await send(telegram, { chat_id: '-1001', text: 'x' }, 'wrong')).status).toBe(401);
    for (const text of ['<b>open', 'a < b', '<p>x</p>', '<b><i>x</b></i>', 'x'.repeat(4097), '']) {
      expect((await send(telegram, { chat_id: '-1001', text, parse_mode: 'HTML' })).status).toBe(400);
    }
    expect((await send(telegram, { chat_id: '-1001', text: 'a < b' })).status).toBe(200);
    expect((await send(telegram, { text: 'nobody' })).status).toBe(400);
  });

  test('can be too busy', async () => {
    const telegram = await sink();
    telegram.faults.push({ match: /sendMessage/, times: 1, action: { kind: 'answer', ...tooManyRequests(7) } });
    const refused = await send(telegram, { chat_id: '1', text: 'x' });
    expect(refused).toMatchObject({ status: 429, body: { ok: false, parameters: { retry_after: 7 } } });
    expect((await send(telegram, { chat_id: '1', text: 'x' })).status).toBe(200);
    expect(telegram.messages).toHaveLength(1);
  });
});

test('the world has all three servers, a project and what a configuration needs', async () => {
  const root = mkdtempSync(path.join(tmpdir(), 'orch-world-'));
  cleanups.push(() => rmSync(root, { recursive: true, force: true }));
  const world = await startWorld({ root, agentCommand: ['node', 'agent.js'], agentScript: '/s.json' });
  cleanups.push(() => world.close());
  const api = `${world.plane.url}/api/v1/workspaces/acme/projects/${world.project.id}`;
  const states = await fetch(`${api}/states/`, { headers: { 'X-Api-Key': world.env['ORCH_PLANE_API_TOKEN'] ?? '' } });
  const names = ((await states.json()) as { results: { name: string }[] }).results.map((row) => row.name);
  expect(names).toEqual(['Backlog', 'Todo', 'In Progress', 'Done', 'Cancelled', 'In Review', 'Needs Input', 'Blocked']);
  const repo = await fetch(`${world.gitea.url}/api/v1/repos/acme/shop`, {
    headers: { authorization: `token ${world.env['ORCH_GITEA_TOKEN'] ?? ''}` },
  });
  expect(await repo.json()).toMatchObject({ empty: false, permissions: { push: true, admin: false } });
  expect(await world.gitea.readFile(world.repo, 'main', 'Makefile')).toContain('node --test');
  const text = JSON.stringify(world.config);
  for (const secret of Object.values(world.env)) expect(text).not.toContain(secret);
  expect(world.config).toMatchObject({
    plane: { url: world.plane.url, workspace: 'acme' },
    telegram: { apiUrl: world.telegram.url },
    agent: { command: ['node', 'agent.js', '--agent-script', '/s.json'] },
    projects: [{ planeProject: world.project.id, repo: 'acme/shop', prefix: 'ET', approvers: ['lead@example.org'] }],
  });
  const file = path.join(root, 'orchestrator.config.json');
  writeFileSync(file, JSON.stringify(world.config));
  const loaded = await loadConfig({ env: { ...world.env }, cwd: root, file });
  expect(loaded.config.telegram?.apiUrl).toBe(world.telegram.url);
  expect(loaded.warnings).toEqual([]);
  const item = world.plane.addItem(world.project, world.people.lead, { name: 'A first item', state: 'Todo' });
  world.plane.moveAs(world.people.lead, item, 'In Review');
  expect([item.sequence, world.plane.stateName(item)]).toEqual([1, 'In Review']);
});
