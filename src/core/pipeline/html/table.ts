import { isElement, type Element, type Node } from './tree.ts';

/** More columns than this are no table that people read. */
const maxSpan = 50;

/** A table as Markdown; the first row is the head when it has header cells. @param cell the text of one cell */
export function table(element: Element, cell: (node: Element) => string): string {
  const rows = rowsOf(element);
  const lines = filled(rows, cell);
  const width = Math.max(1, ...lines.map((line) => line.length));
  const head = cellsOf(rows[0])?.some((node) => node.name === 'th') === true ? lines.shift() : [];
  const written = (line: string[]): string =>
    `| ${Array.from({ length: width }, (_, n) => line[n] ?? '').join(' | ')} |`;
  return [written(head ?? []), written(Array.from({ length: width }, () => '---')), ...lines.map(written)].join('\n');
}

/** Rows of this table, not of one within it. */
function rowsOf(element: Element): Element[] {
  return element.children.flatMap((node) => {
    if (!isElement(node)) return [];
    return node.name === 'tr' ? [node] : ['thead', 'tbody', 'tfoot'].includes(node.name) ? rowsOf(node) : [];
  });
}

function cellsOf(row: Element | undefined): Element[] | undefined {
  return row?.children.filter(isElement).filter((node) => node.name === 'td' || node.name === 'th');
}

/** A cell over several columns or rows stands in its first one; the others are empty, so that the columns stay in line. */
function filled(rows: Element[], cell: (node: Element) => string): string[][] {
  const taken = new Map<number, number>();
  return rows.map((row) => {
    const line: string[] = [];
    const skip = (): void => {
      for (let left = taken.get(line.length) ?? 0; left > 0; left = taken.get(line.length) ?? 0) {
        taken.set(line.length, left - 1);
        line.push('');
      }
    };
    for (const node of cellsOf(row) ?? []) {
      skip();
      const below = span(node, 'rowspan') - 1;
      for (let n = 0; n < span(node, 'colspan'); n++) {
        if (below > 0) taken.set(line.length, below);
        line.push(n === 0 ? cell(node).replaceAll('|', '\\|').replaceAll('\n', '<br>') : '');
      }
    }
    skip();
    return line;
  });
}

function span(node: Node, name: string): number {
  const value = isElement(node) ? Number(node.attribs[name] ?? 1) : 1;
  return Number.isInteger(value) && value > 0 ? Math.min(value, maxSpan) : 1;
}
