import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { roleNames as roles } from '../../src/core/pipeline/stages/index.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import { writeAgentScript } from '../../src/sandbox/agent/script.ts';
import type { WorkItem } from '../../src/sandbox/plane/state.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { bootSystemd, noSystemd, type BootedSystemd } from '../support/booted-systemd.ts';
import { bubblewrap } from '../support/claude-cli.ts';
import { realPart } from '../support/real-part.ts';
import { until } from '../support/until.ts';

const sandbox = bubblewrap();
const missing = noSystemd() ?? ('missing' in sandbox ? sandbox.missing : null);

let folder = '';
let world: World;
let systemd: BootedSystemd;

/** What `docs/operations.md` has an administrator do. */
async function install(): Promise<void> {
  const token = (name: string, variable: string): string =>
    `printf %s '${world.env[variable] ?? ''}' | install -m 600 /dev/stdin /etc/orch/credentials/${name}-token`;
  const commands = [
    'useradd --system --home-dir /var/lib/orch --shell /usr/sbin/nologin orch',
    'install -d -m 755 /etc/orch',
    'install -d -m 700 /etc/orch/credentials',
    token('plane', 'ORCH_PLANE_API_TOKEN'),
    token('gitea', 'ORCH_GITEA_TOKEN'),
    'install -m 644 /opt/world/config.json /etc/orch/orchestrator.config.json',
  ];
  for (const command of commands) expect(await systemd.run('sh', '-c', command)).toEqual({ code: 0, out: '' });
}

/** A setting for one unit, in addition to what is shipped. */
async function dropIn(unit: string, text: string): Promise<void> {
  const place = path.join(folder, 'units', `${unit}.d`);
  mkdirSync(place, { recursive: true });
  writeFileSync(path.join(place, 'test.conf'), text);
  await systemd.systemctl('daemon-reload');
}

interface RunRow {
  id: string;
  role: string;
  phase: string;
  outcome: string | null;
}

/** Asks the database inside, as its user. */
const runsQuery = `const Database = require('/opt/orch/node_modules/better-sqlite3');
const db = new Database('/var/lib/orch/orch.db', { readonly: true, timeout: 5000 });
const columns = "CAST(r.id AS TEXT) AS id, j.role, r.phase, json_extract(r.outcome, '$.kind') AS outcome";
const sql = 'SELECT ' + columns + ' FROM runs r JOIN jobs j ON j.id = r.job_id WHERE j.task_id = ? ORDER BY r.id';
process.stdout.write(JSON.stringify(db.prepare(sql).all(process.argv[2])));
`;

async function runs(task: string): Promise<RunRow[]> {
  return JSON.parse((await systemd.asOrch('node', '/opt/world/runs.cjs', task)).out) as RunRow[];
}

async function running(task: string): Promise<string> {
  let found = '';
  await until(
    `an agent of ${task}`,
    async () => {
      const run = (await runs(task)).find((one) => one.phase === 'running');
      found = run?.id ?? '';
      return run !== undefined && (await agentOf(found)) !== null;
    },
    60_000,
  );
  return found;
}

/** The agent's own process of a run, alive: pid and start time, as the supervisor wrote them. */
async function agentOf(run: string): Promise<string | null> {
  const file = await systemd.run('cat', `/var/lib/orch/runs/${run}/agent`);
  const [pid, start] = file.out.split(' ');
  const stat = (await systemd.run('cat', `/proc/${pid ?? ''}/stat`)).out;
  const alive = file.code === 0 && stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] === start;
  return alive ? file.out : null;
}

async function anotherProcess(unit: string, former: string): Promise<string> {
  let now = former;
  await until(`${unit} with another process than ${former}`, async () => {
    now = await systemd.show(unit, 'MainPID');
    return now !== '0' && now !== former && (await systemd.show(unit, 'ActiveState')) === 'active';
  });
  return now;
}

async function adoptions(): Promise<number> {
  return (await journal('orch-worker')).split('"run adopted"').length - 1;
}

async function journal(unit: string): Promise<string> {
  return (await systemd.run('journalctl', '--no-pager', '-o', 'cat', '-u', unit)).out;
}

function add(name: string): { item: WorkItem; task: string } {
  const item = world.plane.addItem(world.project, world.people.lead, {
    name,
    description_html: '<p>Regular customers get ten percent off.</p>',
  });
  return { item, task: `ET-${String(item.sequence).padStart(3, '0')}` };
}

/** Lets the analyst of a task go on. */
function release(task: string): void {
  writeFileSync(path.join(folder, 'world', 'agent', `go-${task}`), '');
}

async function layWorld(): Promise<void> {
  const shared = path.join(folder, 'world');
  const scripts = path.join(shared, 'agent');
  mkdirSync(scripts, { recursive: true });
  // Counts of the calls are written next to the script, by the user `orch`.
  chmodSync(scripts, 0o777);
  writeAgentScript(scripts, { roles: { analyst: [{ waitFor: '/opt/world/agent/go-{{task}}' }] }, repeatLast: true });
  const program = '/opt/orch/dist/sandbox/agent/scripted-agent.cjs';
  const command = ['node', program, '--agent-script', '/opt/world/agent/script.json'];
  world = await startWorld({ root: path.join(folder, 'servers') });
  startCi(world.gitea, world.repo, { decide: () => 'success' });
  const { stateDir: _state, telegram: _telegram, ...config } = world.config;
  const own = Object.fromEntries(roles.map((role) => [role, { writePaths: ['/opt/world/agent'] }]));
  const agent = { command, kind: 'claude', sandbox: 'bwrap', roles: own };
  const poll = { planeRequestsPerMinute: 6000, schedule: '* * * * * *' };
  writeFileSync(path.join(shared, 'runs.cjs'), runsQuery);
  writeFileSync(path.join(shared, 'config.json'), JSON.stringify({ ...config, agent, poll }));
}

realPart('a booted systemd with the shipped units', missing, () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'orch-systemd-'));
    chmodSync(folder, 0o755);
    await layWorld();
    systemd = await bootSystemd(folder);
    await install();
  });
  afterAll(async () => {
    if (process.env['ORCH_TEST_LOG'] === '1')
      for (const unit of ['orch-poller', 'orch-worker', 'orch-recover'])
        process.stderr.write(`${unit}:\n${await journal(unit)}\n`);
    await systemd.end();
    await world.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it('starts the services with their credentials, which are in no environment', async () => {
    expect(await systemd.systemctl('start', 'orch-poller', 'orch-worker')).toEqual({ code: 0, out: '' });
    for (const unit of ['orch-poller', 'orch-worker']) {
      expect(await systemd.show(unit, 'ActiveState')).toBe('active');
      const { out } = await systemd.run('cat', `/proc/${await systemd.show(unit, 'MainPID')}/environ`);
      expect(out).toContain('CREDENTIALS_DIRECTORY=');
      for (const token of Object.values(world.env)) expect(out).not.toContain(token);
    }
    expect(await systemd.show('orch-worker', 'StatusText')).toBe('waiting for jobs');
    expect(await systemd.asOrch('orch', 'status', '--exit-code')).toMatchObject({ code: 0 });
  });

  it('restarts the worker, by command and after a kill, under a sandboxed agent that lives, is adopted and ends once', async () => {
    const { task } = add('A discount for regular customers');
    const run = await running(task);
    const agent = await agentOf(run);
    const first = await systemd.show('orch-worker', 'MainPID');
    expect(await systemd.systemctl('restart', 'orch-worker')).toEqual({ code: 0, out: '' });
    const second = await anotherProcess('orch-worker', first);
    expect(await agentOf(run)).toBe(agent);
    await until('its adoption', async () => (await adoptions()) === 1);

    await systemd.systemctl('kill', '-s', 'KILL', '--kill-whom=main', 'orch-worker');
    await anotherProcess('orch-worker', second);
    expect(await systemd.show('orch-worker', 'NRestarts')).toBe('1');
    expect(await agentOf(run)).toBe(agent);
    await until('its second adoption', async () => (await adoptions()) === 2);

    release(task);
    await until('its end', async () => (await runs(task))[0]?.phase === 'settled');
    expect(await runs(task)).toEqual([{ id: run, role: 'analyst', phase: 'settled', outcome: 'success' }]);
    expect(await agentOf(run)).toBeNull();
  });

  it('ends the agents, too, when the administrator says so after a stop: an interruption, and the line goes on', async () => {
    const { item, task } = add('Another discount, for new customers');
    const run = await running(task);
    await systemd.systemctl('stop', 'orch-worker');
    expect(await systemd.show('orch-worker', 'ActiveState')).toBe('inactive');
    expect(await systemd.show('orch-worker', 'Result')).toBe('success');
    expect(await agentOf(run)).not.toBeNull();
    expect((await systemd.systemctl('kill', '--kill-whom=all', 'orch-worker')).code).toBe(0);
    await until('the end of the agent', async () => (await agentOf(run)) === null);

    release(task);
    await systemd.systemctl('start', 'orch-worker');
    await until('the next run', async () => (await runs(task)).at(1)?.phase === 'settled', 60_000);
    expect((await runs(task)).map(({ role, outcome }) => `${role} ${outcome ?? ''}`)).toEqual([
      'analyst interrupted',
      'analyst success',
    ]);
    const asked = (): boolean =>
      world.plane.commentsOf(item).some((comment) => (comment.externalId ?? '').endsWith('/approval_wanted'));
    await until('the request for approval', asked);
    world.plane.commentAs(world.people.lead, item, '<p>:approved:</p>');
    await until(
      'the end of the line',
      async () => (await systemd.asOrch('orch', 'status', task, '--json')).out.includes('"stage":"done"'),
      180_000,
    );
  });

  it('starts a service again that shows no life', async () => {
    await dropIn('orch-poller.service', '[Service]\nWatchdogSec=5s\nTimeoutAbortSec=2s\n');
    await systemd.systemctl('restart', 'orch-poller');
    const before = await systemd.show('orch-poller', 'MainPID');
    await systemd.systemctl('kill', '-s', 'STOP', '--kill-whom=main', 'orch-poller');
    await anotherProcess('orch-poller', before);
    expect(await journal('orch-poller')).toContain('Watchdog timeout');
  });

  it('recovers by its timer', async () => {
    await dropIn('orch-recover.timer', '[Timer]\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=1s\n');
    await systemd.systemctl('start', 'orch-recover.timer');
    await until('recover to have run', async () => (await journal('orch-recover')).includes('nothing to recover'));
    await until('its end', async () => (await systemd.show('orch-recover', 'ActiveState')) === 'inactive');
    expect(await systemd.show('orch-recover', 'Result')).toBe('success');
  });

  it('does not start a service again and again that is not configured', async () => {
    await systemd.run('sh', '-c', 'echo "{ \\"nonsense\\": 1 }" > /etc/orch/orchestrator.config.json');
    expect((await systemd.systemctl('restart', 'orch-worker')).code).not.toBe(0);
    await until('its end', async () => (await systemd.show('orch-worker', 'ActiveState')) === 'failed');
    expect(await systemd.show('orch-worker', 'ExecMainStatus')).toBe('6');
    await systemd.run('rm', '/etc/orch/credentials/gitea-token');
    expect((await systemd.systemctl('restart', 'orch-poller')).code).not.toBe(0);
    expect(await systemd.show('orch-poller', 'ExecMainStatus')).toBe('243');
  });
});
