import type { EffectOf, PostedAnswers } from '../../model/index.ts';
import { answerMark, keyMark, withoutMarks } from '../../pipeline/feedback.ts';
import type { Catalogue } from './catalogue.ts';

/** Digits of a commit that people read. */
const shortSha = 10;

/** A line of somebody else's Markdown as a quotation that cannot end itself. */
function quoted(user: string, quote: string): string {
  return `> ${user}: ${withoutMarks(quote).replace(/\s+/g, ' ')}`;
}

/**
 * What is posted for an agent's answers: one text for each line, and one for everything that belongs to no line. The marks in
 * them tell orch's own words from people's, and what was posted from what was not.
 */
export function answerTexts(
  { answers, head }: EffectOf<'forge.answer_threads'>,
  { answers: words }: Catalogue,
  key: string,
): Pick<PostedAnswers, 'text' | 'lines'> {
  const said = answers.map((answer) => ({ ...answer, text: withoutMarks(answer.text ?? words.silent) }));
  const lines = said.flatMap(({ at, id, text }) =>
    at === null ? [] : [{ ...at, text: `${text}\n\n${answerMark(id)}` }],
  );
  const others = said
    .filter(({ at }) => at === null)
    .map(({ user, quote, text }) => `${quoted(user, quote)}\n\n${text}`);
  const text = [words.head(head.slice(0, shortSha)), ...others, keyMark(key)].join('\n\n');
  return { text, lines };
}
