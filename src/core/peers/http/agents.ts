import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { OrchError } from '../../model/index.ts';
import { proxyName } from '../../platform/proxy.ts';

export interface Agents {
  http: HttpAgent;
  https: HttpsAgent;
}

/** Connections by proxy and by whether they are kept; the packages for proxies are loaded only where there is one. */
export function createAgents(): (proxy: URL | null, keepAlive: boolean) => Promise<Agents> {
  const made = new Map<string, Agents>();
  return async (proxy, keepAlive) => {
    const key = `${keepAlive} ${proxy?.href ?? ''}`;
    const known = made.get(key) ?? (await make(proxy, keepAlive));
    made.set(key, known);
    return known;
  };
}

async function make(proxy: URL | null, keepAlive: boolean): Promise<Agents> {
  if (proxy === null) return { http: new HttpAgent({ keepAlive }), https: new HttpsAgent({ keepAlive }) };
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:') {
    throw new OrchError(`the proxy ${proxyName(proxy)} is of a kind that orch does not speak`, {
      code: 'proxy_unsupported',
      hint: 'Give an http:// or https:// proxy, or name the server in no_proxy.',
    });
  }
  const [{ HttpProxyAgent }, { HttpsProxyAgent }] = await Promise.all([
    import('http-proxy-agent'),
    import('https-proxy-agent'),
  ]);
  return {
    http: new HttpProxyAgent(proxy, { keepAlive }) as unknown as HttpAgent,
    https: new HttpsProxyAgent(proxy, { keepAlive }) as unknown as HttpsAgent,
  };
}
