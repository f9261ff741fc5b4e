import { inline, longestRun, maxDepth, type Style } from './inline.ts';
import { named, type NameOf } from './named.ts';
import { table } from './table.ts';
import { cutNote, hasBlockBelow, isBlock, isElement, isUnseen, textBelow, treeOf } from './tree.ts';
import type { Element, Node } from './tree.ts';

/** A table in a cell of a table in a cell is its plain text: nobody reads it as anything else. */
const cellDepth = maxDepth / 3;

const nobody: NameOf = () => null;

/**
 * A description, comment or reason as Markdown: lists with what is done, tables, code, links, and by name what text cannot
 * show (`[image: …]`).
 * @param options `file`: for a file of the repository, with what people typed escaped; `nameOf`: names of people mentioned
 */
export function markdownOf(html: string, { file = false, nameOf = nobody }: Partial<Style> = {}): string {
  const style = { file, nameOf };
  return [...blocks(treeOf(html).children, style), cutNote(html)].filter((part) => part !== '').join('\n\n');
}

/** The same for a tree that was cut already. */
export function markdownOfNodes(nodes: Node[], nameOf: NameOf): string {
  return blocks(nodes, { file: false, nameOf }).join('\n\n');
}

/** One text per block; what stands between blocks is a paragraph. */
function blocks(nodes: Node[], style: Style, depth = 0): string[] {
  const found: string[] = [];
  let line: Node[] = [];
  const endLine = (): void => {
    found.push(paragraph(line, style, depth));
    line = [];
  };
  for (const node of nodes) {
    if (!isElement(node) || !standsAlone(node)) line.push(node);
    else {
      endLine();
      found.push(...block(node, style, depth + 1));
    }
  }
  endLine();
  return found.filter((text) => text !== '');
}

function standsAlone(node: Element): boolean {
  return !isUnseen(node) && (isBlock(node) || hasBlockBelow(node));
}

function block(node: Element, style: Style, depth: number): string[] {
  if (depth > maxDepth) return [textBelow(node.children).trim()];
  const below = (): string[] => blocks(node.children, style, depth);
  const heading = /^h([1-6])$/.exec(node.name)?.[1];
  if (heading !== undefined)
    return [`${'#'.repeat(Number(heading))} ${inline(node.children, style, depth).replace(/\s+/g, ' ').trim()}`];
  if (node.name === 'hr' || node.attribs['data-type'] === 'horizontalRule') return ['---'];
  if (node.name === 'blockquote' || isCallout(node)) return [prefixed(below().join('\n\n'), '> ')];
  switch (node.name) {
    case 'pre':
      return [codeBlock(node)];
    case 'ul':
    case 'ol':
      return [list(node, style, depth)];
    case 'li':
      return [item(node, '- ', style, depth)];
    case 'table':
      return [
        ...captionOf(node, style),
        table(node, (cell) => blocks(cell.children, style, depth + cellDepth).join('\n')),
      ];
    default: {
      const name = named(node, style.nameOf);
      return name === null ? below() : [name, ...below()];
    }
  }
}

function isCallout(node: Element): boolean {
  return node.name === 'callout-component' || node.attribs['data-block-type'] === 'callout-component';
}

function captionOf(node: Element, style: Style): string[] {
  const caption = node.children.filter(isElement).find((child) => child.name === 'caption');
  return caption === undefined ? [] : [inline(caption.children, style).trim()];
}

function paragraph(nodes: Node[], style: Style, depth: number): string {
  const lines = inline(nodes, style, depth)
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .trim()
    .replace(/\n{3,}/g, '\n\n');
  return style.file
    ? lines
        .split('\n')
        .map(lineStart)
        .join('\\\n')
        .replace(/\\\n\\\n/g, '\n\n')
    : lines;
}

/** A line that people typed must not become a heading, a quote, a list or a rule. */
function lineStart(line: string): string {
  return line
    .replace(/^(#{1,6}(?=\s|$)|>|[-+](?=\s|$)|[-=~]{3,}|\|)/, '\\$1')
    .replace(/^(\d+)([.)])(?=\s|$)/, '$1\\$2');
}

/** The fence is longer than any in the code, so that nothing inside ends it. */
function codeBlock(node: Element): string {
  const inner = node.children.filter(isElement).find((child) => child.name === 'code');
  const classes = `${node.attribs['class'] ?? ''} ${inner?.attribs['class'] ?? ''}`;
  const language = /(?:^|\s)lang(?:uage)?-([\w+#.-]+)/.exec(classes)?.[1] ?? inner?.attribs['data-language'] ?? '';
  const text = textBelow(node.children).replace(/\r\n?/g, '\n').replace(/^\n/, '').replace(/\n+$/, '');
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}${language.replace(/[^\w+#.-]/g, '')}\n${text}\n${fence}`;
}

function list(node: Element, style: Style, depth: number): string {
  const start = Number(node.attribs['start'] ?? 1);
  let number = Number.isSafeInteger(start) && start >= 0 ? start : 1;
  // A list directly in a list, as old editors write it, goes on with the item before it.
  const items = node.children.filter(isElement).flatMap((child) => {
    if (child.name !== 'li') return block(child, style, depth + 1).map((text) => prefixed(text, '  '));
    const value = Number(child.attribs['value'] ?? number);
    if (Number.isSafeInteger(value) && value >= 0) number = value;
    return [item(child, node.name === 'ol' ? `${number++}. ` : '- ', style, depth + 1)];
  });
  return items.filter((text) => text !== '').join('\n');
}

function item(node: Element, marker: string, style: Style, depth: number): string {
  const box = checkbox(node);
  const parts = blocks(withoutBox(node), style, depth);
  const indent = ' '.repeat(marker.length);
  const text = parts.map((part, n) => {
    const tight = n > 0 && /^(?:[-*] |\d+\. )/.test(part);
    return `${n === 0 ? '' : tight ? '\n' : '\n\n'}${prefixed(part, indent)}`;
  });
  return `${marker}${box === null ? '' : box ? '[x] ' : '[ ] '}${text.join('').slice(indent.length)}`.trimEnd();
}

/** Whether an item of a task list is done; null for an item of another list. */
function checkbox(node: Element): boolean | null {
  const state = node.attribs['data-checked'] ?? null;
  const box = boxIn(node.children);
  if (state === null && box === null && node.attribs['data-type'] !== 'taskItem') return null;
  return state === null ? box?.attribs['checked'] !== undefined : state === 'true' || state === '';
}

/** The box of this item, not that of one below it. */
function boxIn(nodes: Node[]): Element | null {
  for (const node of nodes) {
    if (!isElement(node)) continue;
    if (node.name === 'input' && node.attribs['type'] === 'checkbox') return node;
    if (['label', 'span', 'p'].includes(node.name)) {
      const found = boxIn(node.children);
      if (found !== null) return found;
    }
  }
  return null;
}

function withoutBox(node: Element): Node[] {
  const box = boxIn(node.children);
  const parent = box?.parent ?? null;
  if (parent !== null) parent.children = parent.children.filter((child) => child !== box);
  return node.children;
}

function prefixed(text: string, prefix: string): string {
  return text
    .split('\n')
    .map((line) => `${prefix}${line}`.trimEnd())
    .join('\n');
}
