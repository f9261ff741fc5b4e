import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGit } from '../../src/core/git/git.ts';
import { createHttp } from '../../src/core/peers/http/client.ts';
import { createPeerErrors } from '../../src/core/peers/http/errors.ts';
import { createTelegram } from '../../src/core/peers/telegram/telegram.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { createNetwork, type Network } from '../../src/core/platform/network.ts';
import { proxyFor, proxySecrets } from '../../src/core/platform/proxy.ts';
import { startGitea, type SandboxGitea } from '../../src/sandbox/gitea/server.ts';
import { slug } from '../support/git-server.ts';
import { failureOf } from './errors-of.ts';

const fixture = (name: string): string => path.join(import.meta.dirname, '../fixtures/tls', name);
const caFile = fixture('ca.pem');

const opened: { close: () => unknown }[] = [];
let root: string;
let gitea: SandboxGitea;
let token: string;
let tlsPort: number;

const portOf = (server: { address: () => unknown }): number => (server.address() as AddressInfo).port;
const listening = async <T extends Server | ReturnType<typeof createServer>>(server: T): Promise<T> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(server);
  return server;
};
function pipe(one: Socket, other: Socket): void {
  for (const socket of [one, other]) socket.on('error', () => socket.destroy());
  one.pipe(other).pipe(one);
  one.on('close', () => other.destroy());
  other.on('close', () => one.destroy());
}

/** A proxy that leads every name to one port of this machine, and what it was asked for. */
async function proxy(port: () => number, status = 200): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(status, { 'content-type': 'application/json' }).end('{"by":"proxy"}');
  });
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
    if (status !== 200) return socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
    const to = connect(port(), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      pipe(socket, to);
    });
    return undefined;
  });
  await listening(server);
  return { url: `http://user:pass-w0rd@127.0.0.1:${portOf(server)}`, asked };
}

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'orch-network-'));
  gitea = await startGitea({ root: path.join(root, 'server'), lagMs: 0 });
  const owner = gitea.addUser({ login: 'acme' });
  token = owner.tokens[0]?.value ?? '';
  await gitea.addRepo({ owner, name: 'shop', files: { 'README.md': '# Shop\n' }, private: true });
  const target = Number(new URL(gitea.url).port);
  const front = await listening(
    createTlsServer({ key: readFileSync(fixture('server.key')), cert: readFileSync(fixture('server.pem')) }, (socket) =>
      pipe(socket, connect(target, '127.0.0.1')),
    ),
  );
  tlsPort = portOf(front);
});
afterAll(async () => {
  for (const one of opened) one.close();
  await gitea.close();
  rmSync(root, { recursive: true, force: true });
});

let folders = 0;
const network = (env: NodeJS.ProcessEnv, ca: string | null): Network =>
  createNetwork({ env, caFile: ca, folder: path.join(root, `state-${++folders}`) });

function get(url: string, over: Network): Promise<{ status: number; text: string }> {
  const errors = createPeerErrors({ peer: 'gitea', label: 'Gitea', url, secrets: () => over.secrets(), now: () => 0 });
  return createHttp({ errors, network: over })({ method: 'GET', url, headers: {} });
}
const heads = (url: string, over: Network) =>
  createGit({
    reposDir: path.join(root, 'repos'),
    remoteUrl: (repo) => `${url}/${repo}.git`,
    token: () => token,
    identity: { name: 'orch', email: 'orch@example.org' },
    timeouts: { gitMs: 20_000, transferMs: 20_000 },
    network: over,
    secrets: () => over.secrets(),
    log: silentLog,
  }).lsRemoteHeads(slug);
const local = (): string => `https://127.0.0.1:${tlsPort}`;

describe('an authority of one’s own', () => {
  it('is trusted by the API, git and Telegram when tls.caFile names it', async () => {
    const trusted = network({}, caFile);
    expect((await get(`${local()}/api/v1/version`, trusted)).status).toBe(200);
    expect([...(await heads(local(), trusted)).keys()]).toEqual(['main']);
    const telegram = createTelegram({ token: () => 'x', chatId: '1', apiUrl: local(), network: trusted });
    expect((await failureOf(telegram.send('x'), [])).code).not.toBe('telegram_unreachable');
  });

  it('is trusted when the variable of Node.js names it', async () => {
    const trusted = network({ NODE_EXTRA_CA_CERTS: caFile }, null);
    expect((await get(`${local()}/api/v1/version`, trusted)).status).toBe(200);
    expect([...(await heads(local(), trusted)).keys()]).toEqual(['main']);
  });

  it('is named when nobody trusts it', async () => {
    const found = await failureOf(get(`${local()}/x`, network({}, null)), []);
    expect(found).toMatchObject({ code: 'gitea_unreachable', hint: expect.stringContaining('tls.caFile') as string });
    expect(found.message).toContain('its certificate is not trusted');
    const git = await failureOf(heads(local(), network({}, null)), []);
    expect(git).toMatchObject({ code: 'git_unreachable', hint: expect.stringContaining('tls.caFile') as string });
  });

  it('of a name that the certificate does not bear is said as that', async () => {
    const over = network({ https_proxy: (await proxy(() => tlsPort)).url }, caFile);
    const found = await failureOf(get('https://other.test/x', over), []);
    expect(found.message).toContain('its certificate is for another name');
  });

  it.each([
    ['missing', path.join('/nonexistent', 'ca.pem'), 'cannot be read'],
    ['no certificate', fixture('server.key'), 'holds no certificate'],
  ])('that cannot be read is said: %s', async (_what, file, words) => {
    const found = await failureOf(get(`${local()}/x`, network({}, file)), []);
    expect(found).toMatchObject({ code: 'ca_unreadable', message: expect.stringContaining(words) as string });
  });

  it('is taken from the file again when that was renewed', async () => {
    const own = path.join(root, 'own.pem');
    writeFileSync(own, readFileSync(fixture('server.pem')));
    const folder = path.join(root, 'state-own');
    const made = (): Network => createNetwork({ env: {}, caFile: own, folder });
    const before = readFileSync(made().gitEnvironment()['GIT_SSL_CAINFO'] ?? '', 'utf8');
    writeFileSync(own, readFileSync(caFile));
    expect(readFileSync(made().gitEnvironment()['GIT_SSL_CAINFO'] ?? '', 'utf8')).not.toBe(before);
  });
});

describe('a proxy from the environment', () => {
  it('leads API and git to servers that only it knows, with its login, and never to those of this machine', async () => {
    const way = await proxy(() => tlsPort);
    const over = network({ HTTPS_PROXY: way.url, no_proxy: 'intern.test' }, caFile);
    expect((await get('https://git.test/api/v1/version', over)).status).toBe(200);
    const login = `Basic ${Buffer.from('user:pass-w0rd').toString('base64')}`;
    expect(way.asked).toEqual([`CONNECT git.test:443 ${login}`]);
    expect([...(await heads('https://git.test', over)).keys()]).toEqual(['main']);
    expect(way.asked.filter((line) => line.startsWith('CONNECT git.test:443')).length).toBeGreaterThan(1);
    const before = way.asked.length;
    expect((await get(`${local()}/api/v1/version`, over)).status).toBe(200);
    expect([...(await heads(local(), over)).keys()]).toEqual(['main']);
    expect(way.asked).toHaveLength(before);
  });

  it('is asked for plain addresses as proxies are', async () => {
    const way = await proxy(() => 1);
    const over = network({ http_proxy: way.url }, null);
    expect((await get('http://plane.test/api/v1/x', over)).text).toBe('{"by":"proxy"}');
    expect(way.asked).toEqual(['GET http://plane.test/api/v1/x']);
  });

  it.each([
    ['wants a login', 407, /the proxy http:\/\/127\.0\.0\.1:\d+ answered 407/, /wants a login/],
    ['lets nothing through', 403, /the proxy http:\/\/127\.0\.0\.1:\d+ answered 403/, /no_proxy/],
  ])('that %s is named, without its password', async (_what, status, message, hint) => {
    const over = network({ https_proxy: (await proxy(() => tlsPort, status)).url }, caFile);
    const found = await failureOf(get('https://git.test/x', over), ['pass-w0rd']);
    expect(found).toMatchObject({ code: 'gitea_unreachable' });
    expect(found.message).toMatch(message);
    expect(found.hint).toMatch(hint);
    const git = await failureOf(heads('https://git.test', over), ['pass-w0rd']);
    expect(git).toMatchObject({ code: 'git_unreachable', hint: expect.stringContaining('no_proxy') as string });
  });

  it('that is not there is named', async () => {
    const over = network({ https_proxy: 'http://127.0.0.1:1' }, null);
    const found = await failureOf(get('https://git.test/x', over), []);
    expect(found.message).toContain('the proxy http://127.0.0.1:1 failed with ECONNREFUSED');
    const socks = network({ all_proxy: 'socks5://127.0.0.1:1' }, null);
    expect((await failureOf(get('https://git.test/x', socks), [])).code).toBe('proxy_unsupported');
  });

  it.each<[string, NodeJS.ProcessEnv, string | null]>([
    ['https://a.example.org', {}, null],
    ['https://a.example.org', { https_proxy: 'http://p:1' }, 'http://p:1'],
    ['http://a.example.org', { https_proxy: 'http://p:1' }, null],
    ['http://a.example.org', { HTTP_PROXY: 'p:1' }, 'http://p:1'],
    ['https://a.example.org', { ALL_PROXY: 'http://p:1' }, 'http://p:1'],
    ['https://a.example.org', { https_proxy: 'http://p:1', no_proxy: 'example.org' }, null],
    ['https://a.example.org', { https_proxy: 'http://p:1', no_proxy: 'x, .example.org' }, null],
    ['https://a.example.org', { https_proxy: 'http://p:1', NO_PROXY: '*.example.org' }, null],
    ['https://notexample.org', { https_proxy: 'http://p:1', no_proxy: 'example.org' }, 'http://p:1'],
    ['https://a.example.org:8443', { https_proxy: 'http://p:1', no_proxy: 'example.org:443' }, 'http://p:1'],
    ['https://a.example.org', { https_proxy: 'http://p:1', no_proxy: '*' }, null],
    ['https://10.1.2.3', { https_proxy: 'http://p:1', no_proxy: '10.0.0.0/8' }, null],
    ['https://11.1.2.3', { https_proxy: 'http://p:1', no_proxy: '10.0.0.0/8, 1/x' }, 'http://p:1'],
    ['https://[fd00::1]', { https_proxy: 'http://p:1', no_proxy: 'fd00::/8' }, null],
    ['http://localhost:3000', { http_proxy: 'http://p:1' }, null],
    ['http://127.0.0.1:3000', { http_proxy: 'http://p:1' }, null],
    ['http://[::1]:3000', { http_proxy: 'http://p:1' }, null],
  ])('%s with %j: %s', (address, env, wanted) => {
    const found = proxyFor(address, env);
    expect(found === null ? null : `${found.protocol}//${found.host}`).toBe(wanted);
  });

  it('has a password that is known as a secret', () => {
    const secrets = proxySecrets({ https_proxy: 'http://u:a%40b@p:1', HTTP_PROXY: 'u:c@p:1' });
    expect(new Set(secrets)).toEqual(new Set(['a%40b', 'a@b', 'c']));
  });
});
