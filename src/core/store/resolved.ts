import { z } from 'zod';
import { itemStateGroups, nothingResolved, personRoles, type ProjectResolved } from '../model/index.ts';

const facts = z.object({
  at: z.number(),
  states: z.array(z.object({ id: z.string(), name: z.string(), group: z.enum(itemStateGroups) })),
  labels: z.record(z.string(), z.string()),
  members: z.array(
    z.object({ id: z.string(), email: z.string(), displayName: z.string(), role: z.enum(personRoles).nullable() }),
  ),
});

const gap = z.object({
  since: z.number(),
  below: z.number(),
  cursor: z.string().nullable(),
  startedAt: z.number(),
  again: z.boolean(),
});

const troubled = z.object({
  number: z.number(),
  kind: z.enum(['unreadable', 'id_taken']),
  why: z.string(),
  tries: z.number(),
  at: z.number(),
});

/** Whatever another version wrote differently is read from the server again. */
const resolved = z
  .object({
    facts: facts.nullable().catch(null),
    recent: z.record(z.string(), z.number()).catch({}),
    pulls: z.record(z.string(), z.object({ updatedAt: z.number(), seenAt: z.number() })).catch({}),
    repository: z.object({ id: z.number(), slug: z.string() }).nullable().catch(null),
    sweptAt: z.number().catch(0),
    sweepFrom: z.number().catch(0),
    gap: gap.nullable().catch(null),
    watermarkSeenAt: z.number().nullable().catch(null),
    settled: z.number().catch(0),
    troubled: z.record(z.string(), troubled).catch({}),
  })
  .catch(nothingResolved);

/** @param text JSON of the column `resolved` */
export function resolvedOf(text: string): ProjectResolved {
  return resolved.parse(JSON.parse(text));
}
