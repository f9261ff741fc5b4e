import { itemStateGroups, nothingResolved, personRoles, type ProjectResolved } from '../model/index.ts';
import { isObject } from '../platform/objects.ts';

type Check = (value: unknown) => boolean;

// By hand: `orch status` reads this, and a library that validates takes longer to load than everything else it does.
const number: Check = (value) => typeof value === 'number';
const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const oneOf =
  (words: readonly unknown[]): Check =>
  (value) =>
    words.includes(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const values =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check);
const fields =
  (checks: Record<string, Check>): Check =>
  (value) =>
    isObject(value) && Object.entries(checks).every(([key, check]) => check(value[key]));

const checks: Record<keyof ProjectResolved, Check> = {
  facts: orNull(
    fields({
      at: number,
      states: list(fields({ id: text, name: text, group: oneOf(itemStateGroups) })),
      labels: values(text),
      members: list(fields({ id: text, email: text, displayName: text, role: orNull(oneOf(personRoles)) })),
    }),
  ),
  recent: values(number),
  pulls: values(fields({ updatedAt: number, seenAt: number })),
  repository: orNull(fields({ id: number, slug: text })),
  sweptAt: number,
  sweepFrom: number,
  gap: orNull(fields({ since: number, below: number, cursor: orNull(text), startedAt: number, again: flag })),
  watermarkSeenAt: orNull(number),
  settled: number,
  troubled: values(fields({ number, kind: oneOf(['unreadable', 'id_taken']), why: text, tries: number, at: number })),
};

/**
 * Whatever another version wrote differently is read from the server again.
 * @param stored JSON of the column `resolved`
 */
export function resolvedOf(stored: string): ProjectResolved {
  const found: unknown = JSON.parse(stored);
  if (!isObject(found)) return nothingResolved;
  const known = Object.entries(checks).filter(([key, check]) => check(found[key]));
  return { ...nothingResolved, ...Object.fromEntries(known.map(([key]) => [key, found[key]])) };
}
