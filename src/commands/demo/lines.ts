import { dollars } from '../../core/engine/messages/catalogue.ts';
import { stageNames } from '../../core/pipeline/stages/index.ts';
import type { DemoEvent } from '../../sandbox/demo/events.ts';
import { oneLine, textOf, type Piece } from '../../ui/pieces.ts';
import type { Symbols } from '../../ui/symbols.ts';
import { truncate } from '../../ui/table.ts';
import type { Terminal } from '../../ui/terminal.ts';
import { widthOf } from '../../ui/wrap.ts';

/** Sentences name commits in full; ten digits distinguish them on a line. */
export function shortShas(text: string): string {
  return text.replace(/\b([0-9a-f]{10})[0-9a-f]{30}\b/g, '$1');
}

/** Time since the demonstration began: `12.3s`, right-aligned so that the lines stand in a column. */
function sinceStart(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)}s`.padStart(6);
}

/** One line of progress about an event, cut to the terminal: a wrapped line would break the column of times. */
export function eventLine(event: DemoEvent, startedAt: number, { err, symbols }: Terminal): Piece[] {
  const pieces = [{ text: `${sinceStart(event.at - startedAt)}  `, style: 'dim' } as const, ...lineOf(event, symbols)];
  const last = pieces.pop() ?? '';
  const used = widthOf(pieces);
  const text = truncate(oneLine(textOf(last)), err.width() - used, symbols.ellipsis);
  return [...pieces, typeof last === 'string' ? text : { ...last, text }];
}

/** The last piece is the one that is cut. */
function lineOf(event: DemoEvent, symbols: Symbols): Piece[] {
  switch (event.kind) {
    case 'task':
      return [{ text: event.id, style: 'bold' }, ` came in from Plane: ${event.title}`];
    case 'stage':
      return stageLine(event, symbols);
    case 'waits':
      return [{ text: `${symbols.waiting} `, style: 'warning' }, shortShas(event.why)];
    case 'started':
      return [{ text: `${symbols.active} `, style: 'accent' }, `${event.role} works`];
    case 'finished': {
      const mark: Piece = event.ok
        ? { text: `${symbols.good} `, style: 'good' }
        : { text: `${symbols.bad} `, style: 'bad' };
      const cost = event.costMicros === null ? '' : ` ${dollars(event.costMicros)}`;
      return [mark, event.role, { text: ` ${(event.ms / 1000).toFixed(1)}s${cost}`, style: 'dim' }, `  ${event.said}`];
    }
    case 'pull':
      return [{ text: `${symbols.good} `, style: 'good' }, `pull request #${event.number} is open`];
    case 'answered':
      return [{ text: event.by, style: 'bold' }, ' comments in Plane: ', { text: event.text, style: 'accent' }];
  }
}

function stageLine(event: Extract<DemoEvent, { kind: 'stage' }>, symbols: Symbols): Piece[] {
  const back = stageNames.indexOf(event.to) < stageNames.indexOf(event.from);
  return [{ text: `${symbols.arrow} ${event.to}`, style: back ? 'warning' : 'bold' }, `: ${shortShas(event.why)}`];
}

/** What the spinner says after an event. */
export function nowDoing(event: DemoEvent): string {
  switch (event.kind) {
    case 'started':
      return `the ${event.role} works`;
    case 'waits':
      return `waits: ${event.cause.replaceAll('_', ' ')}`;
    case 'stage':
      return `stage ${event.to}`;
    case 'task':
    case 'finished':
    case 'pull':
    case 'answered':
      return 'orch decides what follows';
  }
}
