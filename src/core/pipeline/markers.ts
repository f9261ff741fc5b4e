import { Parser } from 'htmlparser2';
import type { Marker } from '../model/index.ts';

const blocks = new Set([
  'p',
  'div',
  'br',
  'li',
  'ul',
  'ol',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'tr',
  'pre',
  'blockquote',
  'table',
  'hr',
]);
const quoting = new Set(['code', 'pre', 'blockquote']);
const unseen = new Set(['script', 'style', 'template', 'head', 'title']);

/** Comments above this size are cut before parsing: a tracker takes bodies of several megabytes. */
const longest = 256 * 1024;

/**
 * Text of a comment or description, one line per block.
 * @param own whether only the author's own words count: text in code and quotes is left out then
 */
export function htmlText(html: string, own = false): string {
  let text = '';
  let muted = 0;
  const parser = new Parser(
    {
      onopentagname(name) {
        if (unseen.has(name) || (own && quoting.has(name))) muted += 1;
        if (blocks.has(name)) text += '\n';
      },
      onclosetag(name) {
        if (unseen.has(name) || (own && quoting.has(name))) muted = Math.max(0, muted - 1);
        if (blocks.has(name)) text += '\n';
      },
      ontext(data) {
        if (muted === 0) text += data;
      },
    },
    { decodeEntities: true },
  );
  parser.write(html.slice(0, longest));
  parser.end();
  return text
    .replaceAll('\u00a0', ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n');
}

/**
 * The marker of a comment (spec 4.3): a line's first word, outside code and quotes; `:rejected:` wins over `:approved:`.
 * Its reason is the rest of that line and what follows it.
 */
export function markerOf(html: string): Marker | null {
  const lines = htmlText(html, true)
    .split('\n')
    .filter((line) => !line.startsWith('>'));
  const rejected = lines.findIndex((line) => /^:rejected:(?=$|[\s.,;:!–—-])/i.test(line));
  if (rejected >= 0) {
    const reason = [lines[rejected]?.replace(/^:rejected:[\s:.,;!–—-]*/i, '') ?? '', ...lines.slice(rejected + 1)];
    return { kind: 'rejected', reason: reason.join('\n').trim() };
  }
  return lines.some((line) => /^:approved:(?=$|[\s.,;:!–—-])/i.test(line)) ? { kind: 'approved' } : null;
}
