import { isObject } from '../platform/objects.ts';

/** Fields of what an agent printed: each has the type and the size that is asked for, or counts as absent. */
export type Json = Record<string, unknown>;

/** A name that is compared, such as a cause; the longest one of the CLI has 30 characters. */
const maxNameLength = 100;
/** A text that is searched for words and of which the first and last lines are shown. */
const maxTextLength = 64 * 1024;
/** Entries of a list that are looked at. */
const maxEntries = 100;

export const objectOf = (value: unknown): Json => (isObject(value) ? value : {});
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value.slice(0, maxEntries) : []);

/** A machine name; a longer one is none. */
export function nameOf(value: unknown): string | null {
  return typeof value === 'string' && value.length <= maxNameLength ? value : null;
}

/** A text for people, cut to its limit. */
export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value.slice(0, maxTextLength) : null;
}
