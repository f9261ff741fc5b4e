import { BlockList, isIP } from 'node:net';

/** Variables that name proxies; each also in capitals. */
const names = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'] as const;
type ProxyVariable = (typeof names)[number];

/** Always reached without a proxy: no proxy can reach the servers of this machine. */
const own = ['localhost', '127.0.0.0/8', '::1'];

/** The value of a variable in small letters or in capitals, as curl reads them; empty when it is not given. */
function read(env: NodeJS.ProcessEnv, name: ProxyVariable): string {
  return [env[name], env[name.toUpperCase()]].map((value) => value?.trim() ?? '').find((value) => value !== '') ?? '';
}

/** The proxy for an address; null: none. A proxy without a scheme is an HTTP proxy. */
export function proxyFor(address: string, env: NodeJS.ProcessEnv): URL | null {
  const url = new URL(address);
  const named = read(env, url.protocol === 'https:' ? 'https_proxy' : 'http_proxy') || read(env, 'all_proxy');
  if (named === '' || isExcepted(url, read(env, 'no_proxy'))) return null;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(named) ? named : `http://${named}`;
  return URL.canParse(text) ? new URL(text) : null;
}

/** The proxy as it may be shown: without the user and the password. */
export function proxyName(proxy: URL): string {
  return `${proxy.protocol}//${proxy.host}`;
}

/** Passwords in the addresses of proxies, for what has to keep them out of texts. */
export function proxySecrets(env: NodeJS.ProcessEnv): string[] {
  return names
    .map((name) => /^(?:[a-z][a-z0-9+.-]*:\/\/)?[^/@]*:([^/@]+)@/i.exec(read(env, name))?.[1] ?? '')
    .flatMap((password) => (password === '' ? [] : [password, decodeURIComponent(password)]));
}

/** What git is given, so that it goes the same ways: its curl reads small letters first. */
export function proxyEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const given = names.map((name) => [name, read(env, name)] as const).filter(([, value]) => value !== '');
  if (given.length === 0) return {};
  const except = [read(env, 'no_proxy'), 'localhost', '127.0.0.1', '::1'].filter((part) => part !== '').join(',');
  return { ...Object.fromEntries(given), no_proxy: except };
}

/**
 * Whether `no_proxy` excepts a host: a name with all below it, with or without a dot in front, an address, a network
 * (`10.0.0.0/8`), each with a port where only that is meant; `*` is everything.
 */
function isExcepted(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return [...own, ...list.split(/[\s,]+/)]
    .map((entry) => entry.toLowerCase())
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = entry, only] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? [];
      if (only !== undefined && only !== port) return false;
      return isIP(host) === 0 ? isBelow(host, name) : isWithin(host, name.replace(/^\[|\]$/g, ''));
    });
}

function isBelow(host: string, name: string): boolean {
  const bare = name.replace(/^\*?\.+/, '');
  return bare !== '' && (host === bare || host.endsWith(`.${bare}`));
}

function isWithin(address: string, entry: string): boolean {
  const [network = '', bits] = entry.split('/');
  const family = isIP(network);
  if (family === 0 || family !== isIP(address)) return false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  try {
    list.addSubnet(network, bits === undefined ? (family === 6 ? 128 : 32) : Number(bits), type);
  } catch {
    return false;
  }
  return list.check(address, type);
}
