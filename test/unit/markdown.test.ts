import { describe, expect, it } from 'vitest';
import { markdownOf } from '../../src/core/pipeline/html/markdown.ts';

const names: Record<string, string> = { 'u-anna': 'Anna' };
const nameOf = (id: string): string | null => names[id] ?? null;

const task = (done: boolean, text: string, below = ''): string =>
  `<li data-type="taskItem" data-checked="${done}"><label><input type="checkbox"${done ? ' checked="checked"' : ''}><span></span></label>` +
  `<div><p>${text}</p>${below}</div></li>`;
const tasks = (...items: string[]): string => `<ul data-type="taskList" class="not-prose">${items.join('')}</ul>`;

/** What people write in the editor, as it stores it. */
const corpus: [string, html: string, markdown: string][] = [
  ['paragraphs', '<p>one</p><p></p><p>two</p>', 'one\n\ntwo'],
  ['plain text', 'as an API client sends it', 'as an API client sends it'],
  ['a line break', '<p>one<br>two<br></p>', 'one\ntwo'],
  ['emphasis', '<p>a <strong> bold </strong>b <em>c</em> <s>d</s> <u>e</u></p>', 'a  **bold** b *c* ~~d~~ e'],
  ['a heading', '<h2 class="h">Why <b>now</b><br>?</h2><p>Because.</p>', '## Why **now** ?\n\nBecause.'],
  ['a rule', '<p>a</p><div data-type="horizontalRule"><div></div></div><hr><p>b</p>', 'a\n\n---\n\n---\n\nb'],
  ['a list', '<ul><li><p>a</p></li><li><p>b</p><ul><li>c</li></ul></li></ul>', '- a\n- b\n  - c'],
  ['a list from 3', '<ol start="3"><li><p>c</p></li><li><p>d</p><p>e</p></li></ol>', '3. c\n4. d\n\n   e'],
  ['an item with a number', '<ol><li>a</li><li value="7">b</li><li>c</li></ol>', '1. a\n7. b\n8. c'],
  [
    'what is done and what is not',
    tasks(task(true, 'done'), task(false, 'open', tasks(task(true, 'part')))),
    '- [x] done\n- [ ] open\n  - [x] part',
  ],
  [
    'boxes of another editor',
    '<ul><li><input type="checkbox" checked disabled> yes</li><li><label><input type="checkbox"> no</label></li></ul>',
    '- [x] yes\n- [ ] no',
  ],
  [
    'a table',
    '<table><tbody><tr><th><p>size</p></th><th><p>price</p></th></tr><tr><td>10</td><td>20</td></tr></tbody></table>',
    '| size | price |\n| --- | --- |\n| 10 | 20 |',
  ],
  [
    'paragraphs, lists and bars in a cell',
    '<table><tr><td><p>first</p><p>second</p></td><td>a|b<ul><li>c</li><li>d</li></ul></td></tr></table>',
    '|  |  |\n| --- | --- |\n| first<br>second | a\\|b<br>- c<br>- d |',
  ],
  [
    'a cell over columns and rows',
    '<table><tr><th>a</th><th colspan="2">b</th></tr><tr><td rowspan="2">1</td><td>2</td><td>3</td></tr><tr><td>4</td><td>5</td></tr></table>',
    '| a | b |  |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n|  | 4 | 5 |',
  ],
  ['code', '<p>run <code>make `x`</code></p>', 'run `` make `x` ``'],
  [
    'a code block with indentation and a fence in it',
    '<pre class="c"><code class="language-ts">if (a) {\n    b();\n```\n}\n</code></pre>',
    '````ts\nif (a) {\n    b();\n```\n}\n````',
  ],
  [
    'code in a list',
    '<ol><li><p>try</p><pre><code>a\n  b</code></pre></li></ol>',
    '1. try\n\n   ```\n   a\n     b\n   ```',
  ],
  ['a quote', '<blockquote><p>a</p><p>b</p></blockquote><p>c</p>', '> a\n>\n> b\n\nc'],
  [
    'links',
    '<p><a href="https://e.org/a_(b)">the page</a>, <a href="https://e.org">https://e.org</a>, <a href="mailto:a@e.org">a@e.org</a></p>',
    '[the page](<https://e.org/a_(b)>), https://e.org, a@e.org',
  ],
  ['a link that is a program', '<p><a href=" java&#9;script:alert(1)">click</a></p>', 'click'],
  [
    'images',
    '<image-component src="8e3f-1" id="n" width="35%"></image-component><p><img src="https://e.org/a.png" alt="the cart"><img src="data:image/png;base64,AAAA"></p>',
    '[image: 8e3f-1]\n\n[image: the cart, https://e.org/a.png][image]',
  ],
  [
    'mentions',
    '<p><mention-component id="1" entity_identifier="u-anna" entity_name="user_mention"></mention-component> and ' +
      '<mention-component id="2" entity_identifier="u-gone" entity_name="user_mention"></mention-component>, see ' +
      '<mention-component entity_identifier="w-7" entity_name="issue_mention"></mention-component></p>',
    '@Anna and [person: u-gone], see [work item: w-7]',
  ],
  [
    'a mention that is not closed',
    '<p>ask <mention-component entity_identifier="u-anna"/> first</p>',
    'ask @Anna first',
  ],
  [
    'embeds',
    '<issue-embed-component entity_identifier="w-1" entity_name="issue"></issue-embed-component><external-embed-component src="https://v.example"></external-embed-component><iframe src="https://w.example"></iframe>',
    '[work item: w-1][embedded page: https://v.example][embedded page: https://w.example]',
  ],
  [
    'an attachment',
    '<p>see</p><attachment-component name="spec.pdf" src="a-1"></attachment-component>',
    'see\n\n[attachment: spec.pdf, a-1]',
  ],
  [
    'formulas',
    '<p>E = <inline-math-component latex="mc^2"></inline-math-component></p><block-math-component latex="\\int x"></block-math-component>',
    'E = $mc^2$\n\n$$\\int x$$',
  ],
  [
    'dates',
    '<p>until <time datetime="2026-05-01"></time> or <date-component date="2026-06-01"></date-component></p>',
    'until [date: 2026-05-01] or [date: 2026-06-01]',
  ],
  [
    'a callout',
    '<div data-block-type="callout-component" data-emoji-unicode="128161"><p>mind this</p></div>',
    '> mind this',
  ],
  ['an emoji', '<p>go <span data-type="emoji" data-name="rocket">🚀</span></p>', 'go 🚀'],
  ['an emoji without its sign', '<p>go <span data-type="emoji" data-name="rocket"></span></p>', 'go :rocket:'],
  ['powers', '<p>10<sup>6</sup> of H<sub>2</sub>O</p>', '10^6 of H_2O'],
  [
    'what the next version brings',
    '<p>a <x-poll-component title="Lunch?"></x-poll-component></p>',
    'a [x poll: Lunch?]',
  ],
  ['what nobody sees', '<style>p{}</style><script>x()</script><!-- c --><p>a</p>', 'a'],
];

describe('HTML of the tracker as Markdown', () => {
  it.each(corpus)('%s', (_name, html, markdown) => {
    expect(markdownOf(html, { nameOf })).toBe(markdown);
  });

  it('keeps in a file what people typed', () => {
    const typed =
      '<p># no heading<br>1. no list<br>- nor this</p><p>2*3, a_b, _x_, `y`, &lt;div&gt;, [a](b) and 1 &lt; 2</p><pre>*as it is*</pre>';
    expect(markdownOf(typed, { file: true })).toBe(
      '\\# no heading\\\n1\\. no list\\\n\\- nor this\n\n2\\*3, a_b, \\_x\\_, \\`y\\`, \\<div>, \\[a](b) and 1 < 2\n\n```\n*as it is*\n```',
    );
  });

  it('says what was cut', () => {
    expect(markdownOf('x'.repeat(256 * 1024 + 5))).toMatch(/^x+\n\n\[cut here: 5 characters of HTML are left out\]$/);
  });

  it.each(['b', 'div', 'ul><li', 'blockquote', 'table><tr><td', 'details'])(
    'does not fall over a depth of <%s>',
    (tag) => {
      const begun = performance.now();
      expect(markdownOf(`<${tag}>`.repeat(12_000) + 'deep')).toContain('deep');
      // It is read in the thread that polls.
      expect(performance.now() - begun).toBeLessThan(3_000);
    },
  );
});
