import type { AnswerPlace, Feedback, LineRemark, Orders, Task, Thread, Visit, Word } from '../model/index.ts';

/** Characters of one text, of the code at a thread, and of everything that is handed on; what is longer is cut. */
const maxText = 4_000;
const maxCode = 2_000;
const maxAll = 60_000;
const maxQuote = 200;
const maxPath = 200;

/** Stands invisibly in orch's own answers, so that an answer is known to belong to its thread. */
const mark = /<!-- answers (t\d{1,15}) -->/;
/** Stands in everything that orch itself says on a pull request: its account may be a person's, too. */
const ownMark = /<!-- (?:answers t\d{1,15}|orch \S{1,200}) -->/;

/** @param id of a thread */
export function answerMark(id: string): string {
  return `<!-- answers ${id} -->`;
}

/** @param key of what is said; the same key is never said twice */
export function keyMark(key: string): string {
  return `<!-- orch ${key} -->`;
}

/** Whether a text of one of orch's accounts is orch's own. */
export function isOwnText(text: string): boolean {
  return ownMark.test(text);
}

/** A text that cannot be taken for orch's own marks. */
export function withoutMarks(text: string): string {
  return text.replaceAll('<!--', '&lt;!--');
}

/**
 * The threads that nobody resolved. A thread is what was said at one line in one review; orch's own answer, which the server
 * may keep as a review of its own, and what people say below it belong to the thread that it names.
 * @param isOwn whether orch said it
 * @param isHeard whether somebody's word counts: the others' remarks are left out
 */
export function threadsOf(
  remarks: LineRemark[],
  isOwn: (remark: LineRemark) => boolean,
  isHeard: (user: string) => boolean,
): Thread[] {
  const places = new Map<string, LineRemark[]>();
  for (const remark of remarks.toSorted((a, b) => a.at - b.at || a.id - b.id)) {
    const place = `${remark.review} ${remark.old ? '-' : '+'}${remark.line} ${remark.path}`;
    places.set(place, [...(places.get(place) ?? []), remark]);
  }
  const byThread = new Map<string, LineRemark[]>();
  for (const [first, ...more] of places.values()) {
    if (first === undefined) continue;
    const named = isOwn(first) ? mark.exec(first.text)?.[1] : undefined;
    const id = named ?? `t${first.id}`;
    byThread.set(id, [...(byThread.get(id) ?? []), first, ...more]);
  }
  return [...byThread].flatMap(([id, all]) => threadOf(id, all, isOwn, isHeard));
}

function threadOf(
  id: string,
  all: LineRemark[],
  isOwn: (remark: LineRemark) => boolean,
  isHeard: (user: string) => boolean,
): Thread[] {
  if (all.some((remark) => remark.resolved)) return [];
  const said = all
    .toSorted((a, b) => a.at - b.at || a.id - b.id)
    .map((remark) => ({ ...remark, own: isOwn(remark) }))
    .filter(({ own, user }) => own || isHeard(user));
  const first = said.find(({ own }) => !own);
  if (first === undefined) return [];
  const { path, line, old, commit, code } = first;
  return [
    {
      id,
      path,
      line,
      old,
      commit,
      code,
      said: said.map(({ user, text, own }) => ({ user, text: own ? text.replace(mark, '').trim() : text, own })),
      answered: said.at(-1)?.own === true,
    },
  ];
}

/** Id of what a review says besides the remarks at lines. */
export function reviewThread(review: number): string {
  return `r${review}`;
}

/** What was said since it was handed on last. */
function news(words: Word[], { heard }: Task['progress']): Word[] {
  return words.filter(({ from, number }) => number > (heard?.[from] ?? 0));
}

/**
 * What a run of the agent that writes code is given of people's words, and the places where they wait for its answer. What
 * would make the orders too long is counted, not quoted.
 */
export function handedOn(
  feedback: Feedback,
  progress: Task['progress'],
): { sections: Orders['sections']; threads: AnswerPlace[]; heard: NonNullable<Visit['heard']> } {
  const words = news(feedback.words, progress);
  const all = [...feedback.threads.map(ofThread), ...words.map(ofWord)];
  const sections: Orders['sections'] = [];
  const threads: AnswerPlace[] = [];
  let length = 0;
  for (const { section, place } of all) {
    length += section.text.length;
    if (length > maxAll) continue;
    sections.push(section);
    threads.push(place);
  }
  const missing = [...feedback.missing];
  if (sections.length < all.length)
    missing.push(`${all.length - sections.length} more remarks are too long to stand here.`);
  if (missing.length > 0)
    sections.push({ title: 'What of the pull request is missing here', text: missing.join('\n') });
  const newest = (from: Word['from']): number =>
    Math.max(
      progress.heard?.[from] ?? 0,
      ...feedback.words.filter((word) => word.from === from).map((word) => word.number),
    );
  return { sections, threads, heard: { review: newest('review'), comment: newest('comment') } };
}

interface Handed {
  section: Orders['sections'][number];
  place: AnswerPlace;
}

function ofThread({ id, path, line, old, commit, code, said, answered }: Thread): Handed {
  const where = `${path.slice(0, maxPath)}${line === 0 ? '' : `, line ${line}${old ? ' before the change' : ''}`}`;
  const first = said.find((one) => !one.own);
  const again = answered ? ' (answered before, still open)' : '';
  const quoted = code === '' ? [] : ['The code:', lastOf(code, maxCode), ''];
  const talk = said.flatMap(({ user, text, own }) => [
    `${own ? 'Your answer of an earlier round' : user}:`,
    cut(text),
    '',
  ]);
  return {
    section: { title: `Thread ${id}: ${where}${again}`, text: [...quoted, ...talk].join('\n').trimEnd() },
    place: {
      id,
      at: line === 0 ? null : { path, line, old, commit },
      user: first?.user ?? '',
      quote: quoteOf(first?.text ?? ''),
      owed: !answered,
    },
  };
}

function ofWord({ id, user, text, from }: Word): Handed {
  const what = from === 'review' ? 'Review' : 'Comment on the pull request';
  return {
    section: { title: `${what} by ${user} (thread ${id})`, text: cut(text) },
    place: { id, at: null, user, quote: quoteOf(text), owed: false },
  };
}

function quoteOf(text: string): string {
  const line = text.split('\n').find((one) => one.trim() !== '') ?? '';
  return line.trim().slice(0, maxQuote);
}

function cut(text: string): string {
  return text.length <= maxText ? text : `${text.slice(0, maxText)}\n[… ${text.length - maxText} more characters]`;
}

/** The end of it: the line that is talked about is the last one. */
function lastOf(text: string, length: number): string {
  return text.length <= length ? text : `…\n${text.slice(-length)}`;
}
