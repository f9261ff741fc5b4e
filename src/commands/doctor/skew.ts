import { createHttp } from '../../core/peers/http/client.ts';
import { createPeerErrors } from '../../core/peers/http/errors.ts';
import { warning, type Finding, type Subject } from './finding.ts';

/** A larger difference makes links and logs hard to follow, and tokens and certificates may be refused, milliseconds. */
const toleratedMs = 30_000;
const timeoutMs = 10_000;

/** Compares this machine's clock with the server's `Date`; says nothing where there is none to compare with. */
export async function clockSkew(
  label: 'Plane' | 'Gitea',
  url: string,
  { parts }: Pick<Subject, 'parts'>,
): Promise<Finding[]> {
  const errors = createPeerErrors({
    peer: label === 'Plane' ? 'plane' : 'gitea',
    label,
    url,
    secrets: () => [],
    now: () => Date.now(),
  });
  const http = createHttp({ errors, network: parts.network, timeouts: { readMs: timeoutMs, writeMs: timeoutMs } });
  const before = Date.now();
  const answer = await http({ method: 'GET', url, headers: {} }).catch(() => null);
  const theirs = Date.parse(answer?.headers['date'] ?? '');
  // The header is cut to whole seconds, and the answer took its time.
  const skewMs = Math.max(before - theirs - 1000, theirs - Date.now());
  if (Number.isNaN(theirs) || skewMs <= toleratedMs) return [];
  return [
    warning(
      'clock',
      `this machine and ${label} differ by ${Math.round(skewMs / 1000)} s`,
      'Let both machines keep time with NTP.',
    ),
  ];
}
