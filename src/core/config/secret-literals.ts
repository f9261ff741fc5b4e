const secretKey = /(token|secret|password|passwd|api_?key|credential)/i;

/** Plane's API token, a Telegram bot token, an Anthropic key, a Gitea token (40 hex digits), a password in an address. */
const secretValues = [
  /plane_api_\w{8,}/i,
  /\b\d{6,}:[\w-]{30,}/,
  /sk-ant-[\w-]{8,}/,
  /^[0-9a-f]{40}$/i,
  /^[a-z][a-z0-9+]*:\/\/[^/\s]*:[^/\s]*@/i,
];

const advice =
  'a secret must not stand in the file; give it by variable, by its _FILE variant, or as a systemd credential';

/** Places of a file that hold a secret, each as `path: problem`; the value itself is never repeated. */
export function literalSecrets(value: unknown, path = ''): { path: string; problem: string }[] {
  if (typeof value === 'string') {
    return secretValues.some((pattern) => pattern.test(value))
      ? [{ path, problem: `looks like a secret: ${advice}` }]
      : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const inner = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    if (secretKey.test(key) && typeof child === 'string') return [{ path: inner, problem: advice }];
    return literalSecrets(child, inner);
  });
}
