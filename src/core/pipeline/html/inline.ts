import { named, type NameOf } from './named.ts';
import { attribute, isElement, isStruck, isText, isUnseen, textBelow, type Element, type Node } from './tree.ts';

/** How the text is written. */
export interface Style {
  /** Whether it goes into a Markdown file: what people typed then keeps its meaning. Else it is read as it is. */
  file: boolean;
  nameOf: NameOf;
}

/** Below this depth an element is its plain text: nobody writes so, and recursion has an end. */
export const maxDepth = 60;

/** Text within a line: emphasis, links, code; `<br>` is a line break. White space is one blank. */
export function inline(nodes: Node[], style: Style, depth = 0): string {
  return nodes.map((node) => one(node, style, depth)).join('');
}

function one(node: Node, style: Style, depth: number): string {
  if (isText(node)) return escaped(node.data.replace(/[\s\u00a0]+/g, ' '), style);
  if (!isElement(node) || isUnseen(node)) return '';
  if (depth > maxDepth) return escaped(textBelow(node.children), style);
  const inner = (): string => inline(node.children, style, depth + 1);
  const name = named(node, style.nameOf);
  if (name !== null) return node.name === 'mention-component' ? name : `${name}${inner()}`;
  if (isStruck(node)) return around('~~', inner());
  switch (node.name) {
    case 'br':
      return '\n';
    case 'b':
    case 'strong':
      return around('**', inner());
    case 'i':
    case 'em':
      return around('*', inner());
    case 'sup':
      return `^${inner()}`;
    case 'sub':
      return `_${inner()}`;
    case 'code':
    case 'kbd':
    case 'samp':
      return code(textBelow(node.children));
    case 'a':
      return link(node, inner());
    case 'input':
      return node.attribs['type'] === 'checkbox' ? (node.attribs['checked'] === undefined ? '[ ] ' : '[x] ') : '';
    case 'span':
      return node.attribs['data-type'] === 'emoji' && textBelow(node.children).trim() === ''
        ? `:${attribute(node, 'data-name') ?? 'emoji'}:`
        : inner();
    default:
      return inner();
  }
}

/** Only what would turn into another thing: `a*b` stays readable. */
function escaped(text: string, { file }: Style): string {
  if (!file) return text;
  return text
    .replace(/[\\`*]/g, '\\$&')
    .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\_')
    .replace(/<(?=[a-z/!?])/gi, '\\<')
    .replace(/\[(?=[^\]]*\][([])/g, '\\[');
}

/** Blanks stay outside the marks, where Markdown wants them. */
function around(mark: string, text: string): string {
  const [, before = '', core = '', after = ''] = /^(\s*)([\s\S]*?)(\s*)$/.exec(text) ?? [];
  return core === '' ? text : `${before}${mark}${core}${mark}${after}`;
}

function code(text: string): string {
  if (text.trim() === '') return text;
  const fence = '`'.repeat(longestRun(text) + 1);
  const pad = /^`|`$/.test(text) ? ' ' : '';
  return `${fence}${pad}${text}${pad}${fence}`;
}

/** How many backticks stand in a row at most. */
export function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
}

function link(element: Element, inner: string): string {
  const href = attribute(element, 'href');
  if (href === null || /^(javascript|data|vbscript):/i.test(href.replace(/[\s\p{C}]/gu, ''))) return inner;
  const text = inner.trim();
  const said = textBelow(element.children).trim();
  if (text === '' || said === href || `mailto:${said}` === href) return text === '' ? `<${href}>` : said;
  return `[${text}](${/[\s()<>]/.test(href) ? `<${href.replace(/[<>]/g, encodeURIComponent)}>` : href})`;
}
