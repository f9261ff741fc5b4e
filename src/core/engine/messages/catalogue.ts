import type { HoldCause, NoticeEvent, NoticeLinks, Role, Stage } from '../../model/index.ts';

/** One message as plain text; the renderers escape it. */
export interface MessageText {
  /** Sign in front, so that a reader sees the kind at a glance (spec 10). */
  marker: string;
  head: string;
  lines: string[];
  /** Somebody's words, cut and set apart. */
  quote: string | null;
}

/** Everything that is said to people, in one language. */
export interface Catalogue {
  stages: Record<Stage, string>;
  roles: Record<Role, string>;
  links: Record<keyof NoticeLinks, string>;
  holds: Record<HoldCause, string>;
  message: (body: NoticeEvent) => MessageText;
}

/** Excerpt lengths of spec 10, in characters. */
export const reasonLength = 300;
export const reportLength = 500;

/** Cuts on a character, never within one. */
export function excerpt(text: string, length: number): string {
  const characters = [...text.trim()];
  return characters.length <= length
    ? characters.join('')
    : `${characters
        .slice(0, length - 1)
        .join('')
        .trimEnd()}…`;
}

export function text(marker: string, head: string, lines: string[] = [], quote: string | null = null): MessageText {
  return {
    marker,
    head,
    lines: lines.filter((line) => line !== ''),
    quote: quote === null || quote.trim() === '' ? null : quote,
  };
}

/** Dollars from micro-dollars. */
export function dollars(micros: number): string {
  return `$${(micros / 1e6).toFixed(2)}`;
}

/** `7`, `0.4`: minutes as people say them. */
export function roundMinutes(minutes: number): string {
  return minutes >= 10 ? String(Math.round(minutes)) : minutes.toFixed(1).replace(/\.0$/, '');
}
