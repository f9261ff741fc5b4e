import type { App } from '../../app.ts';
import type { Parts } from '../../parts.ts';
import type { Secrets } from '../../core/config/secrets.ts';
import { errorText, OrchError } from '../../core/model/index.ts';

/** `bad`: orch cannot work like this. `warning`: it works, but not as one may think. */
type Level = 'good' | 'warning' | 'bad';

/** What one check found. */
export interface Finding {
  name: string;
  level: Level;
  text: string;
  /** What to do about it, one sentence; null where nothing is to be done. */
  advice: string | null;
}

/** What the checks look at. */
export interface Subject {
  config: App['config'];
  parts: Parts;
  secrets: Secrets;
  env: NodeJS.ProcessEnv;
}

/** Checks that belong together, under one heading. */
export interface Group {
  title: string;
  findings: Promise<Finding[]>;
}

export function good(name: string, text: string): Finding {
  return { name, level: 'good', text, advice: null };
}

export function warning(name: string, text: string, advice: string): Finding {
  return { name, level: 'warning', text, advice };
}

export function bad(name: string, text: string, advice: string): Finding {
  return { name, level: 'bad', text, advice };
}

/** Longest wait for one check, milliseconds: above the time limits of single requests and git commands by default. */
const limitMs = 30_000;

/**
 * Runs one check by itself: what it throws, or that it does not end, is its finding and no other check's trouble.
 * @returns its findings; exactly one `bad` when it failed
 */
export async function check(name: string, work: () => Promise<Finding | Finding[]>): Promise<Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    const text = `no answer within ${limitMs / 1000} s`;
    timer = setTimeout(() => resolve(bad(name, text, 'See what keeps it: network, disk or the server.')), limitMs);
  });
  try {
    return [await Promise.race([work(), late])].flat();
  } catch (error) {
    return [failed(name, error)];
  } finally {
    clearTimeout(timer);
  }
}

export function failed(name: string, error: unknown): Finding {
  const advice = error instanceof OrchError ? error.hint : undefined;
  return { name, level: 'bad', text: errorText(error), advice: advice ?? null };
}

/** Runs checks concurrently and keeps their order. */
export async function together(checks: Promise<Finding[]>[]): Promise<Finding[]> {
  return (await Promise.all(checks)).flat();
}
