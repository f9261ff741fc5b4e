import { printable } from '../../core/platform/printable.ts';
import { duration } from '../../ui/format.ts';
import type { Block, Cell, Stretch } from './report-blocks.ts';

/** Text for an HTML page, in an element or in a quoted attribute; marks that would turn its direction are made visible. */
function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return printable(text).replace(/[&<>"']/g, (c) => entities[c] ?? c);
}

const style = `
:root { color-scheme: light dark; --line: #8884; --stage: #7a8bb5; --good: #3a9d5d; --bad: #c8473f; --open: #c79a2b; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 75rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; margin-top: 1.5rem; }
table { border-collapse: collapse; font-size: 0.87rem; } .wide { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.7rem 0.25rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; min-width: 3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; } dt { opacity: 0.7; } dd { margin: 0; overflow-wrap: anywhere; }
.row { display: grid; grid-template-columns: 12rem 1fr 5rem; gap: 0.6rem; align-items: center; font-size: 0.85rem; }
.track { background: #8882; height: 0.9rem; border-radius: 3px; } .bar { height: 100%; min-width: 2px; border-radius: 3px; }
.stage { background: var(--stage); } .good { background: var(--good); } .bad { background: var(--bad); } .open { background: var(--open); }
@media (max-width: 40rem) { .row { grid-template-columns: 7rem 1fr 4rem; } }`;

function inline({ text, href }: Cell): string {
  // Anything but a web address could run something when it is followed.
  if (href === undefined || !/^https?:\/\//i.test(href)) return escapeHtml(text);
  return `<a href="${escapeHtml(href)}" rel="noreferrer">${escapeHtml(text)}</a>`;
}

function table(titles: string[], rows: Cell[][]): string {
  const head = titles.map((title) => `<th>${escapeHtml(title)}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${inline(cell)}</td>`).join('')}</tr>`).join('\n');
  return `<div class="wide"><table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body}\n</tbody></table></div>`;
}

function timeline(rows: Stretch[]): string {
  if (rows.length === 0) return '<p>Nothing yet.</p>';
  const first = Math.min(...rows.map(({ from }) => from));
  const whole = Math.max(1, Math.max(...rows.map(({ to }) => to)) - first);
  const percent = (ms: number): string => ((ms / whole) * 100).toFixed(2);
  return rows
    .map(({ label, from, to, tone, note }) => {
      const place = `margin-left:min(${percent(from - first)}%, calc(100% - 2px));width:${percent(to - from)}%`;
      const took = duration(to - from);
      return `<div class="row" title="${escapeHtml(note)}"><span>${escapeHtml(label)}</span><div class="track"><div class="bar ${tone}" style="${place}"></div></div><span>${took}</span></div>`;
    })
    .join('\n');
}

function block(of: Block): string {
  switch (of.kind) {
    case 'heading':
      return `<h${of.level}>${escapeHtml(of.text)}</h${of.level}>`;
    case 'paragraph':
      return `<p>${of.cells.map(inline).join(' ')}</p>`;
    case 'facts':
      return `<dl>\n${of.rows.map(({ name, value }) => `<dt>${escapeHtml(name)}</dt><dd>${inline(value)}</dd>`).join('\n')}\n</dl>`;
    case 'table':
      return table(of.titles, of.rows);
    case 'timeline':
      return timeline(of.rows);
  }
}

/** The report as one HTML file: its style inside, no script, nothing loaded from anywhere (the policy forbids it too). */
export function htmlReport(title: string, blocks: Block[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${style}
</style>
</head>
<body>
${blocks.map(block).join('\n')}
</body>
</html>
`;
}
