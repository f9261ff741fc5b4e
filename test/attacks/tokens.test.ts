import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { taskIdOf } from '../../src/core/model/index.ts';
import type { FaultRule } from '../../src/sandbox/faults.ts';
import { orchHost, tasksIn } from '../support/crash.ts';
import { formsOf, leaksBelow, leaksIn, processesOf } from '../support/leaks.ts';
import { startLine, type Line } from '../support/line.ts';
import { startOrch } from '../support/orch.ts';
import { until } from '../support/until.ts';

let line: Line | null = null;
let ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends) await end();
  ends = [];
  await line?.close();
  line = null;
});

const timeout = 300_000;

/**
 * What echoes are answered with. One after the other they keep a place closed for a minute each time, and where a token came
 * from makes no difference to them: half of them meet each way. The last one git meets, too.
 */
const statuses = { file: [400, 403, 409, 429, 502], variable: [401, 404, 422, 500, 502] };

/** Answers of a peer that gives back what it got, in every form, with what a terminal and a log obey around it. */
function echoes(tokens: string[], answers: number[]): FaultRule[] {
  const said = tokens.flatMap(formsOf).join(' ');
  const split = tokens.map((token) => `${token.slice(0, 8)}\u200f${token.slice(8)}`).join('\n');
  return answers.map((status) => ({
    match: /./,
    times: 1,
    action: {
      kind: 'answer' as const,
      status,
      headers: {
        'x-echo': tokens.join(' '),
        'retry-after': '0',
        location: `http://orch:${tokens[0] ?? ''}@127.0.0.1:1/`,
      },
      body: { error: said, detail: `${split} \u001b[2J\n${said}`, message: said, description: said },
    },
  }));
}

interface Installed {
  line: Line;
  tokens: string[];
  /** What the services printed. */
  output(): string;
}

/** Services as they are installed, as processes of their own, with their tokens by file or by variable. */
async function installed(how: 'file' | 'variable'): Promise<Installed> {
  const started = await startLine({
    script: { roles: {} },
    configure: (config) => {
      config['poll'] = { planeRequestsPerMinute: 6000, schedule: '* * * * * *' };
      config['worker'] = { backoffBaseSeconds: 1, backoffMaxSeconds: 1 };
    },
  });
  line = started;
  const { world, root } = started;
  const folder = `${root}-tokens`;
  mkdirSync(folder, { mode: 0o700 });
  ends.push(() => rm(folder, { recursive: true }));
  const byFile = Object.entries(world.env).map(([name, value]): [string, string] => {
    const file = path.join(folder, name);
    writeFileSync(file, value, { mode: 0o600 });
    return [`${name}_FILE`, file];
  });
  const env = how === 'file' ? Object.fromEntries(byFile) : world.env;
  const { file } = orchHost(world, root);
  const runs = ['serve-poller', 'run-worker'].map((name) => startOrch([name, '--config', file], { cwd: root, env }));
  for (const { child, ended } of runs) {
    ends.unshift(async () => {
      child.kill('SIGTERM');
      await ended;
    });
  }
  const output = (): string => runs.map((run) => `${run.stdout()}${run.stderr()}`).join('\n');
  return { line: started, tokens: Object.values(world.env), output };
}

test.each(['file', 'variable'] as const)(
  'services with tokens by %s, and peers that echo them',
  { timeout },
  async (how) => {
    const { line: started, tokens, output } = await installed(how);
    const { world, root } = started;
    const database = path.join(root, 'state', 'orch.db');
    // The second look at the items comes after the first contact was recorded.
    const looks = (): number =>
      world.plane.requests.filter((request) => request.includes('order_by=-updated_at')).length;
    await until('two looks at Plane', () => looks() > 1 && existsSync(database), 60_000);
    const item = world.plane.addItem(world.project, world.people.lead, {
      name: 'A discount for regular customers',
      description_html: '<p>Regular customers get a discount of ten percent.</p>',
    });
    const id = taskIdOf('ET', item.sequence);
    const seen = { args: '', environments: '', git: '' };
    const watch = (): void => {
      for (const { name, args, environment } of processesOf(root)) {
        seen.args += args;
        if (name.startsWith('git')) seen.git += environment;
        else seen.environments += environment;
      }
    };
    const watching = setInterval(watch, 50);
    ends.unshift(() => Promise.resolve(clearInterval(watching)));
    // git's own trouble is waited out for a minute each time: one is enough. Gitea's API is asked by the doctor.
    const answers = echoes(tokens, statuses[how]);
    const [echo] = answers.slice(-1);
    if (echo !== undefined) world.gitea.faults.push({ ...echo, match: /info\/refs/ });
    world.gitea.faults.push(...answers.map((rule) => ({ ...rule, match: /api\/v1/ })));
    for (const { faults } of [world.plane, world.telegram]) faults.push(...echoes(tokens, statuses[how]));
    const reads = (): string | undefined => tasksIn(database).find((task) => task.id === id)?.hold ?? undefined;
    await until('the request for approval', () => reads()?.startsWith('approval') ?? false, 200_000, 200);
    clearInterval(watching);
    // orch's own words about all of it, also to who asks.
    const shown = await Promise.all(
      [['status'], ['status', id], ['why', id], ['report'], ['recover', '--dry-run'], ['doctor']].map(
        (args) =>
          startOrch([...args, '--config', path.join(root, 'orchestrator.config.json')], { cwd: root, env: world.env })
            .ended,
      ),
    );
    const { files, leaks } = leaksBelow(root, tokens);
    const texts: [string, string][] = [
      ['comments', JSON.stringify(world.plane.commentsOf(item))],
      ['telegram', JSON.stringify(world.telegram.messages)],
      ['pull requests', JSON.stringify(world.repo.pulls)],
      ['logs', output()],
      ['commands', shown.map(({ stdout, stderr }) => stdout + stderr).join('\n')],
      ['arguments', seen.args],
    ];
    for (const [where, text] of texts) leaks.push(...leaksIn(where, text, tokens));
    expect(files).toBeGreaterThan(30);
    expect(output()).toContain('[redacted]');
    expect(leaks).toEqual([]);
    // git gets its token by environment for the one call; the services' own shows what it was started with, for their whole
    // life: nothing when tokens come by file. docs/security.md says so.
    expect(leaksIn('git', seen.git, tokens)).not.toEqual([]);
    expect(leaksIn('services', seen.environments, tokens).length > 0).toBe(how === 'variable');
  },
);
