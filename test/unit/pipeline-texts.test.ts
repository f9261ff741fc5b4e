import { describe, expect, it } from 'vitest';
import { bodyOf, frontMatter } from '../../src/core/pipeline/front-matter.ts';
import { admits, branchName, newTask, pipelineOf } from '../../src/core/pipeline/intake.ts';
import { htmlText, saidIn } from '../../src/core/pipeline/markers.ts';
import { item, noon, policy } from '../support/snapshots.ts';

const markerOf = (html: string) => saidIn(html).marker;

describe('markers', () => {
  const approved = { kind: 'approved' };
  const rejected = (reason: string) => ({ kind: 'rejected', reason });
  it.each<[string, string, unknown]>([
    ['alone', '<p>:approved:</p>', approved],
    ['first word of a line', '<p>:approved: thank you</p>', approved],
    ['first word of a later line', '<p>Read it.</p><p>:approved:</p>', approved],
    ['after a line break', '<p>Read it.<br>:approved:</p>', approved],
    ['in other case', '<p>:Approved:</p>', approved],
    ['with punctuation', '<p>:approved:!</p>', approved],
    ['with emphasis', '<p><strong>:approved:</strong></p>', approved],
    ['in a list', '<ul><li>:approved:</li></ul>', approved],
    ['after a no-break space', '<p>&nbsp;:approved:</p>', approved],
    ['inside a sentence', '<p>I have not :approved: it</p>', null],
    ['a longer word', '<p>:approved:ish</p>', null],
    ['without colons', '<p>approved</p>', null],
    ['half a marker', '<p>:approved</p>', null],
    ['in code', '<p><code>:approved:</code></p>', null],
    ['in a code block', '<pre><code>:approved:</code></pre>', null],
    ['in a quote', '<blockquote><p>:approved:</p></blockquote>', null],
    ['in a quote by hand', '<p>&gt; :approved:</p>', null],
    ['in an attribute', '<p title=":approved:">no</p>', null],
    ['in a comment of HTML', '<!-- :approved: --><p>no</p>', null],
    ['in a script', '<script>:approved:</script>', null],
    ['nothing', '', null],
    ['after a quote', '<blockquote>:rejected: no</blockquote><p>:approved:</p>', approved],
    ['rejected with a reason', '<p>:rejected: the currency is missing</p>', rejected('the currency is missing')],
    ['rejected with a dash', '<p>:rejected: – no currency</p>', rejected('no currency')],
    ['rejected without a reason', '<p>:rejected:</p>', rejected('')],
    ['reason on the lines below', '<p>:rejected:</p><p>one</p><p>two</p>', rejected('one\n\ntwo')],
    ['both: rejected wins', '<p>:approved:</p><p>:rejected: no</p>', rejected('no')],
    ['both, the other way', '<p>:rejected: no</p><p>:approved:</p>', rejected('no\n\n:approved:')],
    ['split by an edit of the markup', '<p>:appr<b>oved:</b></p>', approved],
    ['after a zero-width space', '<p>\u200b:approved:</p>', approved],
    ['after a word joiner', '<p>&#8288;:approved:</p>', approved],
    ['with a zero-width space in it', '<p>:appro\u200bved:</p>', approved],
    ['before an emoji', '<p>:approved:👍</p>', approved],
    ['in a table cell', '<table><tr><td>verdict</td><td>:approved:</td></tr></table>', approved],
    [
      'in the second paragraph of a cell',
      '<table><tr><td><p>a</p><p>:rejected: b</p></td></tr></table>',
      rejected('|  |\n| --- |\n| b |'),
    ],
    ['struck out', '<p><s>:approved:</s></p>', null],
    ['struck out with its line', '<p><del>:approved: fine</del> wait</p>', null],
    ['struck out by a style', '<p><span style="text-decoration: line-through">:approved:</span></p>', null],
    ['one struck out, one not', '<p><s>:rejected: no</s></p><p>:approved:</p>', approved],
    ['a longer word after a word joiner', '<p>:approved:\u2060ish</p>', null],
    ['plain text of several lines', 'Read it.\n:approved:', approved],
    [
      'a reason with code, a link and a list',
      '<p>Seen.<br>:rejected: <a href="https://e.org/1">this</a></p><pre>a\n  b</pre><ul><li>c</li></ul>',
      rejected('[this](https://e.org/1)\n\n```\na\n  b\n```\n\n- c'),
    ],
    ['a reason in a marker in bold', '<p><b>:rejected:</b> too slow</p>', rejected('too slow')],
    ['entities', '<p>&#58;approved&#58;</p>', approved],
  ])('%s', (_name, html, wanted) => {
    expect(markerOf(html)).toEqual(wanted);
  });

  it.each<[string, string | undefined]>([
    ['<p>:approved</p>', ':approved'],
    ['<p>approved:</p>', 'approved:'],
    ['<p>Approved, thanks</p>', 'Approved, thanks'],
    ['<p>: approved :</p>', ': approved :'],
    ['<p>:aproved:</p>', ':aproved:'],
    ['<p>:approve: 👍</p>', ':approve: 👍'],
    ['<p>Looks good. :approved:</p>', 'Looks good. :approved:'],
    ['<p><code>:approved:</code></p>', ':approved:'],
    ['<p>Rejected: too slow</p>', 'Rejected: too slow'],
    ['<p>：approved：</p>', '：approved：'],
    ['<p>Approved orders are listed first.</p>', undefined],
    ['<p>Use euros, as was approved last year.</p>', undefined],
    ['<blockquote>begins with :approved:</blockquote><p>Which one?</p>', undefined],
    ['<p>&gt; Answer with :approved:</p><p>Why?</p>', undefined],
    ['<p><s>:approved:</s></p>', undefined],
    ['<p>:approved:</p>', undefined],
  ])('near miss: %s', (html, wanted) => {
    expect(saidIn(html).nearMiss).toBe(wanted);
  });

  it('reads hostile markup without falling over it', () => {
    expect(markerOf(`${'<div>'.repeat(20_000)}:approved:`)).toEqual(approved);
    expect(markerOf('<p>:approved:</p')).toEqual(approved);
    expect(markerOf('</blockquote></code>:approved:')).toEqual(approved);
    expect(htmlText(`${'x'.repeat(300 * 1024)}`).length).toBe(256 * 1024);
    expect(htmlText('<p>a</p><script>alert(1)</script><style>b</style><p>c &lt;b&gt;</p>')).toBe('a\nc <b>');
  });
});

describe('front matter', () => {
  it.each<[string, string, Record<string, string>]>([
    ['keys are lower-cased', '---\nVERDICT: x\n---\n', { verdict: 'x' }],
    ['scalars stay text', `---\ncommit: 0123456\nflag: true\n---\n`, { commit: '0123456', flag: 'true' }],
    ['lists and maps are left out', '---\na: [1]\nb: {c: d}\ne: f\n---\n', { e: 'f' }],
    ['spaces behind the lines', '---  \nverdict: x\n---\t\nbody', { verdict: 'x' }],
    ['empty', '---\n\n---\n', {}],
    ['no line at all', '---\n---\nbody\n---\n', {}],
    ['a list', '---\n- a\n---\n', {}],
    ['a scalar', '---\njust text\n---\n', {}],
    ['none', '# Title\n', {}],
    ['a rule above the title', '---- \n# Title\n', {}],
    ['later blocks do not count', '---\na: b\n---\ntext\n---\na: c\n---\n', { a: 'b' }],
    ['a key twice that says the same', '---\nVerdict: Approved\nverdict: APPROVED\n---\n', { verdict: 'APPROVED' }],
  ])('%s', (_name, text, keys) => {
    expect(frontMatter(text)).toEqual({ keys, trouble: null });
  });

  it.each<[string, string, string]>([
    [
      'two cases of a key',
      'Verdict: REQUEST_CHANGES\nverdict: APPROVED',
      'line 3: verdict stands twice and says two things',
    ],
    ['a key twice', 'a: b\nresult: FAIL\nresult: PASS', 'line 4: result stands twice and says two things'],
    ['a text and a list', 'verdict: APPROVED\nVERDICT: [REQUEST_CHANGES]', 'line 3: verdict stands twice'],
    ['a colon in another key', 'verdict: APPROVED\ntitle: Review: x', 'line 3: Nested mappings are not allowed'],
    ['a tab', 'verdict: APPROVED\nnotes:\n\t- x', 'line 4: Tabs are not allowed as indentation'],
    ['a quote that does not end', 'title: "x\nverdict: APPROVED', 'line '],
    ['an alias', 'v: &v APPROVED\nverdict: *v', 'line 3: an alias (*name) is not read'],
    ['too long', `${'# filler\n'.repeat(3000)}a: b`, 'it has no end: a line --- within its first 16 KiB'],
  ])('cannot be read: %s', (_name, yaml, trouble) => {
    const read = frontMatter(`---\r\n${yaml.replaceAll('\n', '\r\n')}\r\n---\r\n`);
    expect(read.keys).toEqual({});
    expect(read.trouble?.slice(0, trouble.length)).toBe(trouble);
  });

  it('is cut off the body', () => {
    expect(bodyOf('\uFEFF---\r\na: b\r\n---\r\n\r\nThe body.\r\n')).toBe('The body.');
    expect(bodyOf('---\n---\nAbove\n---\nbelow\n')).toBe('Above\n---\nbelow');
    expect(bodyOf('No front matter.')).toBe('No front matter.');
  });
});

describe('branchName', () => {
  it.each<[string, string]>([
    ['Cart total', 'feature/ET-012-cart-total'],
    ['Корзина: сумма', 'feature/ET-012-korzina-summa'],
    ['🚀🚀🚀', 'feature/ET-012'],
    ['', 'feature/ET-012'],
    ['--- weird ---', 'feature/ET-012-weird'],
    ['../../etc/passwd', 'feature/ET-012-etc-passwd'],
    ['a..b~c^d:e?f*g[h\\i', 'feature/ET-012-a-b-cd-e-f-g-h-i'],
    ['Total.lock', 'feature/ET-012-total-lock'],
    ['CamelCase Title', 'feature/ET-012-camelcase-title'],
    ['abcdefghij abcdefghij abcdefgh ijk', 'feature/ET-012-abcdefghij-abcdefghij-abcdefgh'],
    ['x'.repeat(200), `feature/ET-012-${'x'.repeat(30)}`],
    ['日本語のタイトル', 'feature/ET-012'],
  ])('%j', (title, wanted) => {
    const name = branchName('ET-012', title);
    expect(name).toBe(wanted);
    expect(name).toMatch(/^feature\/ET-012(-[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?)?$/);
  });
});

describe('admits', () => {
  const byLabel = policy({ intake: { label: 'ai', states: [] } });
  const byState = policy({ intake: { label: null, states: ['Ready'] } });
  it.each<[string, Parameters<typeof item>[0], typeof byLabel, number | null, boolean]>([
    ['a new number', {}, policy(), 11, true],
    ['the highest number of first contact', {}, policy(), 12, false],
    ['before first contact nothing', {}, policy(), null, false],
    ['a gone item', { present: false }, policy(), 0, false],
    ['a completed item', { stateGroup: 'completed' }, policy(), 0, false],
    ['a cancelled item', { stateGroup: 'cancelled' }, policy(), 0, false],
    ['without the label', {}, byLabel, 0, false],
    ['with the label', { labels: ['ai'] }, byLabel, 0, true],
    ['with the label, an old number', { labels: ['ai'] }, byLabel, 99, true],
    ['with the label, before first contact', { labels: ['ai'] }, byLabel, null, false],
    ['in another state', {}, byState, 0, false],
    ['in the state, case ignored', { stateName: 'READY' }, byState, 0, true],
    ['in the state, an old number', { stateName: 'Ready' }, byState, 99, false],
  ])('%s', (_name, over, rules, first, wanted) => {
    expect(admits(item(over), rules, first)).toBe(wanted);
  });
});

describe('pipelineOf', () => {
  const rules = policy({
    pipelines: {
      default: { stages: ['analysis', 'development'], label: null },
      audit: { stages: ['analysis', 'testing'], label: 'audit' },
    },
  });
  it.each<[string, string[], string | null, string]>([
    ['no label', [], null, 'default'],
    ['a label', ['audit'], null, 'audit'],
    ['an unknown label', ['x'], null, 'default'],
    ['by name', [], 'audit', 'audit'],
    ['by an unknown name', ['audit'], 'nope', 'default'],
  ])('%s', (_name, labels, wanted, name) => {
    expect(pipelineOf(labels, rules, wanted).name).toBe(name);
  });

  it('is pinned in the new task', () => {
    const made = newTask(item({ labels: ['audit'], name: '  Cart total ' }), rules, noon);
    expect(made).toMatchObject({
      id: 'ET-012',
      title: 'Cart total',
      branch: 'feature/ET-012-cart-total',
      pipeline: 'audit',
      pipelineStages: ['analysis', 'testing'],
      stage: 'created',
      visit: 0,
    });
  });
});
