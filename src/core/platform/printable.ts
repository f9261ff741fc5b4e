/** Marks that reverse, isolate or break text without being control characters: bidirectional controls, line separators. */
export const reorderingMarks = /[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const control = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]|${reorderingMarks.source}`, 'g');
const jsonControl = new RegExp(`[\\u007f-\\u009f]|${reorderingMarks.source}`, 'g');

/**
 * Escapes what a terminal or a line-based reader would obey: control characters, and the marks that reverse or isolate
 * the direction of text, in strings from outside (spec 12). Tab and line feed stay.
 */
export function printable(text: string): string {
  return text.replace(control, (c) => {
    const code = c.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}

/** JSON that is safe on a terminal too: JSON.stringify leaves C1 controls and direction marks as they are. */
export function printableJson(json: string): string {
  return json.replace(jsonControl, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
