import { describe, expect, it } from 'vitest';
import { nothingResolved, type ProjectResolved } from '../../src/core/model/index.ts';
import { resolvedOf } from '../../src/core/store/resolved.ts';

const full: ProjectResolved = {
  facts: {
    at: 1,
    states: [{ id: 's', name: 'Done', group: 'completed' }],
    labels: { l: 'bug' },
    members: [{ id: 'm', email: 'a@example.org', displayName: 'Ann', role: 'member' }],
  },
  recent: { i: 2 },
  repository: { id: 3, slug: 'acme/shop' },
  pulls: { 7: { updatedAt: 3, seenAt: 4 } },
  sweptAt: 5,
  sweepFrom: 6,
  gap: { since: 7, below: 8, cursor: null, startedAt: 3, again: true },
  watermarkSeenAt: 4,
  settled: 5,
  troubled: { i: { number: 9, kind: 'unreadable', why: 'too large', tries: 3, at: 10 } },
};

describe('what is kept of a project', () => {
  it('is read as it was written', () => {
    expect(resolvedOf(JSON.stringify(full))).toEqual(full);
  });

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['a list', []],
    ['null', null],
    ['other keys', { states: { blocked: 'x' } }],
  ])('is nothing yet where %s is stored', (_name, stored) => {
    expect(resolvedOf(JSON.stringify(stored))).toEqual(nothingResolved);
  });

  it.each<[string, Record<string, unknown>]>([
    ['roles are numbers, as version 0.1.0 wrote them', { members: [{ ...full.facts?.members[0], role: 15 }] }],
    ['a group of states is unknown', { states: [{ id: 's', name: 'Done', group: 'archive' }] }],
    ['there are no labels', { labels: null }],
  ])('has no facts where %s, and keeps the rest', (_name, over) => {
    expect(resolvedOf(JSON.stringify({ ...full, facts: { ...full.facts, ...over } }))).toEqual({
      ...full,
      facts: null,
    });
  });

  it('forgets stamps of another form', () => {
    expect(resolvedOf(JSON.stringify({ ...full, recent: { i: 'x' }, pulls: { 7: 3 } }))).toEqual({
      ...full,
      recent: {},
      pulls: {},
    });
  });
});
