import type { HoldCause, Language, NoticeEvent, NoticeLinks, Role, Stage } from '../../model/index.ts';
import { bounceKinds, holdKinds, roleWords, stageWords } from '../../pipeline/stages/index.ts';

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
  language: Language;
  links: Record<keyof NoticeLinks, string>;
  /** Behind the head of what was said before, word for word. */
  round: (n: number) => string;
  message: (body: NoticeEvent, names: Names) => MessageText;
  /** What stands on a pull request above the answers of an agent, and in a thread that it left without one. */
  answers: { head: (commit: string) => string; silent: string };
}

/** What people read for the names of the pipeline; an unknown name is shown as it is. */
export interface Names {
  stage: (name: Stage) => string;
  role: (name: Role) => string;
  hold: (cause: HoldCause) => string;
  bounce: (cause: string) => string;
  /** What clears a hold, where the language has words of its own for it. */
  clearedBy: (cause: HoldCause) => string | undefined;
}

/** @param labels what a team calls its own stages and roles, by name */
export function namesIn(language: Language, labels: Record<string, string> = {}): Names {
  return {
    stage: (name) => ownLabel(labels, name) ?? stageWords.get(name)?.[language] ?? name,
    role: (name) => ownLabel(labels, name) ?? roleWords.get(name)?.[language] ?? name,
    hold: (cause) => holdKinds.get(cause)?.words[language] ?? cause,
    bounce: (cause) => bounceKinds.find((kind) => kind.cause === cause)?.words[language] ?? cause,
    clearedBy: (cause) => holdKinds.get(cause)?.clearedBy[language],
  };
}

/** Excerpt lengths of spec 10, in characters. */
export const reasonLength = 300;
export const reportLength = 500;

/** How far around a cut its character is looked for: finding the borders in a whole text takes quadratic time. */
const around = 32;

/** Cuts on a character as people see it (a letter with its accent, a flag, a family), never within one. */
export function excerpt(text: string, length: number): string {
  const points = [...text.trim()];
  if (points.length <= length) return points.join('');
  const kept = length - 1;
  const from = Math.max(0, kept - around);
  const before = points.slice(from, kept).join('');
  const cut = new Intl.Segmenter()
    .segment(before + points.slice(kept, kept + around).join(''))
    .containing(before.length);
  // A character that reaches back further than that is abuse, not text.
  const tail = cut === undefined || (cut.index === 0 && from > 0) ? before : before.slice(0, cut.index);
  return `${(points.slice(0, from).join('') + tail).trimEnd()}…`;
}

export function text(marker: string, head: string, lines: string[] = [], quote: string | null = null): MessageText {
  return {
    marker,
    head,
    lines: lines.filter((line) => line !== ''),
    quote: quote === null || quote.trim() === '' ? null : quote,
  };
}

/** Whether a sentence only has words that the others have, so that nobody has to read it twice. */
export function saysNothingNew(sentence: string, others: string[]): boolean {
  const words = (text: string): string[] =>
    (text.toLowerCase().match(/[\p{L}\p{N}#/_.-]{4,}/gu) ?? []).map((word) => word.slice(0, 4));
  const known = new Set(others.flatMap(words));
  return words(sentence).every((word) => known.has(word));
}

/** More names than this are counted. */
const maxNames = 8;

/** Names of people in one line. @param more words for how many are left out */
export function listed(names: string[], more: (left: number) => string): string {
  const shown = names.slice(0, maxNames).map((name) => excerpt(name, 60));
  const left = names.length - shown.length;
  return `${shown.join(', ')}${left > 0 ? ` ${more(left)}` : ''}`;
}

/** Dollars from micro-dollars. */
export function dollars(micros: number): string {
  return `$${(micros / 1e6).toFixed(2)}`;
}

/** `7`, `0.4`: minutes as people say them. */
export function roundMinutes(minutes: number): string {
  return minutes >= 10 ? String(Math.round(minutes)) : minutes.toFixed(1).replace(/\.0$/, '');
}

function ownLabel(labels: Record<string, string>, name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined;
}
