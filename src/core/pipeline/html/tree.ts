import { parseDocument } from 'htmlparser2';

export type Tree = ReturnType<typeof parseDocument>;
export type Node = Tree['children'][number];
export type Element = Extract<Node, { attribs: unknown }>;
export type Text = Extract<Node, { data: string }>;

/** Longer descriptions and comments are cut before parsing: a tracker takes bodies of several megabytes. */
const maxLength = 256 * 1024;

export function treeOf(html: string): Tree {
  return parseDocument(html.slice(0, maxLength), { recognizeSelfClosing: true });
}

/** What is said at the end of a text that was cut; empty when it was not. */
export function cutNote(html: string): string {
  return html.length > maxLength ? `[cut here: ${html.length - maxLength} characters of HTML are left out]` : '';
}

const blockNames = new Set(
  (
    'address article aside blockquote center dd details dialog div dl dt fieldset figcaption figure footer form ' +
    'h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul caption'
  ).split(' '),
);
const unseenNames = new Set(['script', 'style', 'template', 'head', 'title', 'noscript']);

export function isElement(node: Node): node is Element {
  return 'attribs' in node;
}

export function isText(node: Node): node is Text {
  return node.type === 'text';
}

export function isBlock(node: Node): boolean {
  return isElement(node) && (blockNames.has(node.name) || node.name === 'callout-component');
}

/** Elements that no reader sees. */
export function isUnseen(node: Node): boolean {
  return isElement(node) && unseenNames.has(node.name);
}

export function isStruck(node: Node): boolean {
  return (
    isElement(node) && (['s', 'strike', 'del'].includes(node.name) || /line-through/i.test(node.attribs['style'] ?? ''))
  );
}

/** The first of these attributes that is not empty, on one line. */
export function attribute(element: Element, ...names: string[]): string | null {
  for (const name of names) {
    const value = element.attribs[name]?.replace(/\s+/g, ' ').trim();
    if (value !== undefined && value !== '') return value;
  }
  return null;
}

/** Visits what is below in the order of the document, without recursion: hostile text nests a hundred thousand levels. */
export function walk(top: Node[], enter: (node: Node) => 'skip' | void, leave: (node: Node) => void = () => {}): void {
  const open: { node: Node; left: boolean }[] = top.map((node) => ({ node, left: false })).reverse();
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    const { node, left } = step;
    if (left) {
      leave(node);
      continue;
    }
    if (enter(node) === 'skip') continue;
    open.push({ node, left: true });
    if ('children' in node)
      for (let n = node.children.length - 1; n >= 0; n--) open.push({ node: node.children[n] as Node, left: false });
  }
}

/** All text below, as it stands there; a line break for `<br>`. */
export function textBelow(nodes: Node[]): string {
  let text = '';
  walk(nodes, (node) => {
    if (isUnseen(node)) return 'skip';
    if (isText(node)) text += node.data;
    else if (isElement(node) && node.name === 'br') text += '\n';
  });
  return text;
}

export function hasBlockBelow(node: Element): boolean {
  let found = false;
  walk(node.children, (below) => {
    found ||= isBlock(below);
    return found ? 'skip' : undefined;
  });
  return found;
}
