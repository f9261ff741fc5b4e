import type { HttpAnswer, PeerErrors } from './types.ts';

/** Parses without throwing: an HTML page and a cut-off document are ordinary answers of a peer in trouble. */
export function parseJson(text: string): { ok: true; value: unknown } | { ok: false } {
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false };
  }
}

/** The JSON of an answer. @throws OrchError `<peer>_garbage` when it is none */
export function jsonOf(answer: HttpAnswer, errors: PeerErrors): unknown {
  const parsed = parseJson(answer.text);
  if (parsed.ok) return parsed.value;
  const html = answer.text.trimStart().startsWith('<');
  throw errors.garbage(answer.what, html ? 'a web page instead of JSON' : 'no complete JSON');
}

/**
 * What the server said: the first of the named keys that holds text, or the start of the JSON itself where messages have
 * other shapes (`{"name": ["too long"]}`); empty for anything but an object.
 */
export function messageOf(answer: HttpAnswer, keys: readonly string[]): string {
  const parsed = parseJson(answer.text);
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return '';
  const values = parsed.value as Record<string, unknown>;
  const texts = keys.map((key) => values[key]).filter((value) => typeof value === 'string');
  const filled = texts.find((text) => text !== '');
  if (filled !== undefined || texts.length > 0 || Array.isArray(parsed.value)) return filled ?? '';
  return answer.text.slice(0, 2_000);
}
