import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import { OrchError } from '../model/index.ts';
import { writeFileAtomic } from './files.ts';
import { proxyEnvironment, proxyFor, proxySecrets } from './proxy.ts';

/** How servers are reached, and whom to trust there: one answer for every program that talks to one. */
export interface Network {
  /** The proxy for an address; null: none. */
  proxyFor(address: string): URL | null;
  /** Certificates to trust, PEM; null: those that Node.js brings along. @throws OrchError `ca_unreadable` */
  certificates(): string[] | null;
  /** The same for git, as variables. @throws OrchError `ca_unreadable` */
  gitEnvironment(): Record<string, string>;
  /** What no text may repeat: passwords of proxies. */
  secrets(): string[];
}

export interface NetworkOptions {
  env: NodeJS.ProcessEnv;
  /** PEM file of further authorities (`tls.caFile`); null: none. */
  caFile: string | null;
  /** Where the bundle for git is kept: git takes one file, and it replaces the system's. Null: git gets none. */
  folder: string | null;
}

/** Where distributions keep the certificates that everybody trusts. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * Proxies come from the environment (`https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`), further authorities from
 * `tls.caFile` and from the variables by which Node.js and OpenSSL know them.
 */
export function createNetwork({ env, caFile, folder }: NetworkOptions): Network {
  const extra = caFile ?? given(env, 'NODE_EXTRA_CA_CERTS');
  const systemOwn = given(env, 'SSL_CERT_FILE') ?? given(env, 'GIT_SSL_CAINFO');
  let bundle: string | null = null;

  /** Written again when it differs: the authority's file may have been renewed. */
  function bundleFile(): string | null {
    if (extra === null || folder === null) return null;
    if (bundle !== null) return bundle;
    const base = systemOwn ?? systemBundles.find((file) => existsSync(file));
    const text = [base === undefined ? rootCertificates.join('\n') : readPem(base), readPem(extra)].join('\n');
    const file = path.join(folder, 'ca-bundle.pem');
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileAtomic(file, text);
    bundle = file;
    return file;
  }
  return {
    proxyFor: (address) => proxyFor(address, env),
    certificates: () => {
      const files = [extra, systemOwn].filter((file) => file !== null);
      return files.length === 0 ? null : [...rootCertificates, ...files.map(readPem)];
    },
    gitEnvironment: () => {
      const file = bundleFile();
      return { ...proxyEnvironment(env), ...(file === null ? {} : { GIT_SSL_CAINFO: file }) };
    },
    secrets: () => proxySecrets(env),
  };
}

function given(env: NodeJS.ProcessEnv, name: string): string | null {
  const value = env[name]?.trim() ?? '';
  return value === '' ? null : value;
}

function readPem(file: string): string {
  const problem = (what: string, cause?: unknown): OrchError =>
    new OrchError(`the file of certificate authorities ${file} ${what}`, {
      code: 'ca_unreadable',
      hint: 'Give a PEM file that this user may read, as tls.caFile.',
      ...(cause === undefined ? {} : { cause }),
    });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw problem('cannot be read', error);
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw problem('holds no certificate in PEM form');
  return text;
}

/** What a failed TLS connection says, by the code of Node.js; null for any other failure. */
export function certificateTrouble(code: string): { detail: string; hint: string } | null {
  const trouble = (detail: string, hint: string) => ({ detail: `${detail} (${code})`, hint });
  if (code === 'CERT_HAS_EXPIRED')
    return trouble('its certificate has expired', 'Renew the certificate of the server.');
  if (code === 'CERT_NOT_YET_VALID')
    return trouble('its certificate is not valid yet', "Check this machine's clock, then the certificate.");
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return trouble('its certificate is for another name', 'Use the name of the server that its certificate bears.');
  if (/CERT|ISSUER|LEAF_SIGNATURE|^SELF_SIGNED/.test(code))
    return trouble(
      'its certificate is not trusted',
      'Give the file of the authority that signed it (PEM) as tls.caFile; see docs/network.md.',
    );
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return trouble(
      'no TLS connection came about',
      'Check that the address begins with https:// only if the server speaks TLS.',
    );
  return null;
}
