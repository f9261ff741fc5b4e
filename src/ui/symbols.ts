/** Marks that carry the meaning in addition to the colour, so that nothing is lost without colour. */
export interface Symbols {
  good: string;
  bad: string;
  warning: string;
  /** Working now. */
  active: string;
  /** Not there yet. */
  waiting: string;
  arrow: string;
  ellipsis: string;
}

const unicode: Symbols = { good: '✓', bad: '✗', warning: '!', active: '●', waiting: '○', arrow: '→', ellipsis: '…' };
const ascii: Symbols = { good: '+', bad: 'x', warning: '!', active: '*', waiting: 'o', arrow: '->', ellipsis: '~' };

/** Unicode where the locale says UTF-8; the Linux console and dumb terminals have no such glyphs. */
export function symbolsFor(env: NodeJS.ProcessEnv): Symbols {
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((value) => (value ?? '') !== '') ?? '';
  const poor = env['TERM'] === 'linux' || env['TERM'] === 'dumb';
  return /utf-?8/i.test(locale) && !poor ? unicode : ascii;
}
