import type { Marker } from '../model/index.ts';
import { markdownOfNodes } from './html/markdown.ts';
import type { NameOf } from './html/named.ts';
import { isBlock, isElement, isStruck, isText, isUnseen, treeOf, walk } from './html/tree.ts';
import type { Node, Text } from './html/tree.ts';

/** Whose words these are not. */
const quoting = new Set(['code', 'pre', 'blockquote', 'kbd', 'samp']);

/** Text of a comment or description without any marks, one line per block: for counting, and for looking at it. */
export function htmlText(html: string): string {
  return linesOf(treeOf(html).children, isUnseen)
    .map((line) => textOf(line).replaceAll('\u00a0', ' ').trim())
    .filter((line) => line !== '')
    .join('\n');
}

/** What a comment says to orch (spec 4.3). */
export interface Said {
  marker: Marker | null;
  /** The beginning of a line that was probably meant as a marker and is none. */
  nearMiss?: string;
}

/** Characters of a near miss that are repeated. */
const maxNearMiss = 60;

/**
 * The marker of a comment (spec 4.3): a line's first word, outside code, quotes and what is struck out; a table cell is a
 * line, too. `:rejected:` wins over `:approved:`. Its reason is the rest of that line and what follows it.
 */
export function saidIn(html: string, nameOf: NameOf = () => null): Said {
  const tree = treeOf(html);
  const lines = linesOf(tree.children, isNotOwn);
  for (const line of lines) {
    const found = rejected.exec(textOf(line));
    if (found === null) continue;
    cutBefore(line, found.index + found[0].length);
    return { marker: { kind: 'rejected', reason: markdownOfNodes(tree.children, nameOf).trim() } };
  }
  if (lines.some((line) => approved.test(textOf(line)))) return { marker: { kind: 'approved' } };
  const near = linesOf(tree.children, isQuote)
    .flatMap((line) => textOf(line).split('\n'))
    .find(isNearMiss);
  return near === undefined
    ? { marker: null }
    : {
        marker: null,
        nearMiss: near
          .replace(/[\s\p{Cf}]+/gu, ' ')
          .trim()
          .slice(0, maxNearMiss),
      };
}

/** Letters with what nobody sees between them: editors leave zero-width spaces and word joiners. */
const unseenBefore = String.raw`[\s\p{Cf}]*`;
const spelled = (word: string): string => [...`:${word}:`].join(String.raw`\p{Cf}*`);
const notLonger = String.raw`(?!\p{Cf}*[\p{L}\p{N}_])`;
const approved = new RegExp(`^${unseenBefore}${spelled('approved')}${notLonger}`, 'imu');
const rejected = new RegExp(
  `^${unseenBefore}${spelled('rejected')}${notLonger}` + String.raw`[\s\p{Cf}:.,;!–—-]*`,
  'imu',
);

/** A marker somewhere else than at the beginning, or the word alone, misspelt or without its colons. */
function isNearMiss(line: string): boolean {
  const text = line
    .normalize('NFKC')
    .replace(/\p{Cf}/gu, '')
    .trim()
    .toLowerCase();
  if (text.startsWith('>')) return false;
  if (/:\s*(approved|rejected)\s*:/.test(text)) return true;
  const word = /^[^\p{L}\p{N}]*(\p{L}+)[^\p{L}\p{N}]*?(?:$|[:,.;!?\n])/u.exec(text)?.[1] ?? '';
  return /^(a+p+r?r?o+v+e?d?|re?j+e?ct?e?d?)$/.test(word);
}

/** The parts of one line, in order. */
type Line = Text[];

function textOf(line: Line): string {
  return line.map((text) => text.data).join('');
}

function linesOf(nodes: Node[], isMuted: (node: Node) => boolean): Line[] {
  const lines: Line[] = [[]];
  const endLine = (): void => {
    if (lines.at(-1)?.length !== 0) lines.push([]);
  };
  walk(
    nodes,
    (node) => {
      const ends = isBlock(node) || (isElement(node) && ['br', 'td', 'th'].includes(node.name));
      if (ends) endLine();
      if (isMuted(node)) return 'skip';
      if (isText(node)) lines.at(-1)?.push(node);
      return undefined;
    },
    (node) => {
      if (isBlock(node) || (isElement(node) && ['td', 'th'].includes(node.name))) endLine();
    },
  );
  return lines;
}

function isQuote(node: Node): boolean {
  return isUnseen(node) || (isElement(node) && (node.name === 'blockquote' || node.name === 'pre')) || isStruck(node);
}

function isNotOwn(node: Node): boolean {
  return isUnseen(node) || isStruck(node) || (isElement(node) && quoting.has(node.name));
}

/** Takes away everything that stands before the character `at` of the line, in the whole tree. */
function cutBefore(line: Line, at: number): void {
  let left = at;
  for (const text of line) {
    if (left > text.data.length) {
      left -= text.data.length;
      continue;
    }
    text.data = text.data.slice(left);
    let child: Node = text;
    for (let parent = child.parent; parent !== null; parent = child.parent) {
      parent.children = parent.children.slice(parent.children.indexOf(child));
      if (parent.type === 'root') return;
      child = parent as Node;
    }
    return;
  }
}
