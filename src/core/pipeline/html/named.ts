import { attribute, textBelow, type Element } from './tree.ts';

/** What a person is called whose id stands in a mention; null when that is not known. */
export type NameOf = (id: string) => string | null;

const maxNamed = 200;

/** Elements without text that mean something to people, by what is said in their place. */
const kinds: [RegExp, string][] = [
  [/image|^img$/, 'image'],
  [/video/, 'video'],
  [/audio/, 'audio'],
  [/attachment|file/, 'attachment'],
  [/^(issue|work-item)-embed/, 'work item'],
  [/page/, 'page'],
  [/date|^time$/, 'date'],
  [/embed|^iframe$|^object$/, 'embedded page'],
  [/^(svg|canvas|whiteboard|drawio|diagram)/, 'drawing'],
];
const mentioned: Record<string, string> = { user_mention: 'person', issue_mention: 'work item', page_mention: 'page' };

/**
 * The words in place of an element that text cannot show: `[image: screenshot.png]`, `@Anna`, `$x^2$`. Whatever the
 * editor's next version adds under a name of its own is named by that name.
 * @returns null for an element that is shown by its text
 */
export function named(element: Element, nameOf: NameOf): string | null {
  const { name } = element;
  const latex = attribute(element, 'latex', 'data-latex');
  if (latex !== null) return name.startsWith('block') || name === 'div' ? `$$${latex}$$` : `$${latex}$`;
  if (name === 'mention-component' || element.attribs['data-type'] === 'mention') return mention(element, nameOf);
  if (name === 'time' && textBelow(element.children).trim() !== '') return null;
  const kind = kinds.find(([pattern]) => pattern.test(name))?.[1];
  if (kind === undefined && !isOwn(name)) return null;
  if (kind === undefined && textBelow(element.children).trim() !== '') return null;
  const what = [
    attribute(element, 'alt', 'title', 'name', 'data-name', 'file_name', 'filename', 'datetime', 'date', 'value'),
    address(element) ?? attribute(element, 'entity_identifier', 'asset-id', 'id'),
  ].filter((part) => part !== null);
  const called = kind ?? name.replace(/-component$/, '').replaceAll('-', ' ');
  return `[${called}${what.length === 0 ? '' : `: ${what.join(', ').slice(0, maxNamed)}`}]`;
}

/** A name with a hyphen is no element of HTML: it is the editor's own. */
function isOwn(name: string): boolean {
  return name.includes('-') && name !== 'callout-component';
}

/** Where it lies; an image that is written out in the address (`data:`) has none that helps. */
function address(element: Element): string | null {
  const found = attribute(element, 'src', 'href', 'url', 'data');
  return found === null || /^(data|blob):/i.test(found) ? null : found;
}

function mention(element: Element, nameOf: NameOf): string {
  const id = attribute(element, 'entity_identifier', 'data-id', 'id');
  const said = attribute(element, 'label', 'data-label') ?? textBelow(element.children).trim();
  const kind = mentioned[element.attribs['entity_name'] ?? 'user_mention'] ?? 'mention';
  const known = kind === 'person' && id !== null ? nameOf(id) : null;
  if (known !== null || said !== '') return `@${(known ?? said).replace(/^@/, '')}`;
  return id === null ? `[${kind}]` : `[${kind}: ${id}]`;
}
