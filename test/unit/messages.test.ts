import { describe, expect, it } from 'vitest';
import { excerpt, namesIn } from '../../src/core/engine/messages/catalogue.ts';
import { catalogueOf, escapeHtml, commentHtml, chatHtml } from '../../src/core/engine/messages/render.ts';
import { counted } from '../../src/core/model/index.ts';
import type { Language, Notice, NoticeEvent, TaskId } from '../../src/core/model/index.ts';
import { bounceKinds, holdKinds, roleNames, stageNames } from '../../src/core/pipeline/stages/index.ts';
import { cutHtml } from '../../src/core/peers/telegram/cut-html.ts';
import { channels } from '../../src/core/pipeline/channels.ts';
import { saidIn } from '../../src/core/pipeline/markers.ts';

const languages: Language[] = ['en', 'ru'];
const links = {
  item: 'https://plane.example.org/acme/projects/p/issues/i',
  branch: 'https://git.example.org/acme/shop/src/branch/feature/ET-012-cart',
  pr: 'https://git.example.org/acme/shop/pulls/7',
};

/** At least one of every event; the type makes a new event stop the build here. */
const examples: { [E in NoticeEvent['event']]: Extract<NoticeEvent, { event: E }>[] } = {
  intake_accepted: [
    { event: 'intake_accepted', role: 'analyst', usualMinutes: null },
    { event: 'intake_accepted', role: 'analyst', usualMinutes: 12 },
  ],
  intake_refused: [{ event: 'intake_refused', defects: ['title_short', 'title_long', 'description_short'] }],
  not_entered: [{ event: 'not_entered', number: 7, text: 'its task id ET-007 belongs to another work item' }],
  stage_changed: [
    { event: 'stage_changed', from: 'analysis', to: 'architecture', by: 'Lead' },
    { event: 'stage_changed', from: 'testing', to: 'deploy', by: null },
  ],
  agent_started: [{ event: 'agent_started', role: 'architect', attempt: 2, why: 'The analysis was approved by Lead.' }],
  agent_finished: [
    { event: 'agent_finished', role: 'developer', minutes: 0.42, costMicros: 1_234_567 },
    { event: 'agent_finished', role: 'tester', minutes: 31.6, costMicros: null },
  ],
  approval_wanted: [
    { event: 'approval_wanted', artifacts: ['01-brd.md', '02-trz.md'] },
    { event: 'approval_wanted', artifacts: ['01-brd.md'], who: ['Lead', 'Anna'] },
    { event: 'approval_wanted', artifacts: ['01-brd.md'], who: [] },
  ],
  may_not_approve: [
    { event: 'may_not_approve', by: 'Guest', who: Array.from({ length: 10 }, (_, n) => `Lead ${n + 1}`) },
  ],
  marker_unclear: [{ event: 'marker_unclear', said: 'approved, thanks' }],
  approval_too_old: [{ event: 'approval_too_old', by: 'Lead' }],
  not_waiting_for_approval: [{ event: 'not_waiting_for_approval', by: 'Lead', waitsFor: 'the developer' }],
  questions: [{ event: 'questions', text: '1. Which currency?\n2. Which rounding?', round: 1, of: 3 }],
  bounce: [
    'answers',
    'rejected',
    'conflict',
    'red_ci',
    'changes_requested',
    'tests_failed',
    'base_conflict',
    'code_changed',
  ].map((cause) => ({ event: 'bounce', role: 'developer', cause, text: 'what was found', n: 1, of: 3 }) as const),
  hold: [...holdKinds.keys()].map(
    (cause) =>
      ({
        event: 'hold',
        cause,
        text: 'why it is held',
        clearedBy: 'what clears it',
        command: 'orch retry ET-012',
        detail: 'the end of the log',
      }) as const,
  ),
  run_failed: [
    { event: 'run_failed', role: 'tester', kind: 'timeout', detail: 'stopped after 45 minutes', runId: '47' },
    { event: 'run_failed', role: 'tester', kind: 'crash', detail: 'exit status 1', runId: '47' },
    { event: 'run_failed', role: 'tester', kind: 'exhausted', detail: 'exit status 1', runId: '47' },
  ],
  deploy_failed: [true, false, null].map(
    (rolledBack) => ({ event: 'deploy_failed', reason: 'the smoke test is red', rolledBack }) as const,
  ),
  merged: [
    { event: 'merged', number: 7, by: 'orch' },
    { event: 'merged', number: 7, by: 'person' },
  ],
  done: [{ event: 'done' }],
  done_reopened: [{ event: 'done_reopened' }],
  cancelled: [
    { event: 'cancelled', by: 'op' },
    { event: 'cancelled', by: null },
  ],
  agents_paused: [
    { event: 'agents_paused', reason: 'usage_limit: resets later', until: Date.UTC(2026, 0, 2, 3, 4) },
    { event: 'agents_paused', reason: 'authentication: not logged in', until: null },
  ],
  agents_resumed: [{ event: 'agents_resumed' }],
  recovered: [{ event: 'recovered', lines: ['run 5 was adopted', 'two effects were given back'] }],
  trouble: [{ event: 'trouble', text: 'the disk is full' }],
  trouble_over: [{ event: 'trouble_over', text: 'polling works again' }],
};

const all: NoticeEvent[] = Object.values(examples).flat();

function notice(body: NoticeEvent, over: Partial<Notice> = {}): Notice {
  return { taskId: 'ET-012' as TaskId, title: 'Cart total', body, links, ...over };
}

describe.each(languages)('messages in %s', (language) => {
  const catalogue = catalogueOf(language);

  it.each(['plane', 'telegram'] as const)('of every event for %s', async (channel) => {
    const render = channel === 'plane' ? commentHtml : chatHtml;
    const said = all.filter((body) => channels[body.event].comment || channel === 'telegram');
    const text = said.map((body) => `[${body.event}]\n${render(notice(body), catalogue)}\n`).join('\n');
    await expect(text).toMatchFileSnapshot(`__snapshots__/messages.${language}.${channel}.txt`);
  });

  it('names every stage, role, hold, bounce and link in words', () => {
    const names = namesIn(language);
    const words = [
      ...stageNames.map(names.stage),
      ...roleNames.map(names.role),
      ...[...holdKinds.keys()].map(names.hold),
      ...bounceKinds.map(({ cause }) => names.bounce(cause)),
      ...Object.values(catalogue.links),
    ];
    for (const word of words) expect(word.trim()).not.toBe('');
    // A name without words would be shown as it is: only plain English words may look like their names.
    const plain = [...holdKinds.keys(), ...bounceKinds.map(({ cause }) => cause)];
    for (const cause of plain) expect(words).not.toContain(cause.includes('_') ? cause : ' ');
  });

  it.each(all.map((body) => [body.event, body] as const))('%s lets nothing hostile through', (_event, body) => {
    const hostile = `<script>alert(1)</script><b>x</b>&amp;"'</p></blockquote><a href="javascript:x">y</a>`;
    const evil = { ...fill(body, hostile), event: body.event } as NoticeEvent;
    const said = notice(evil, { title: hostile, links: { item: `https://x/"><script>`, branch: hostile } });
    for (const html of [commentHtml(said, catalogue), chatHtml(said, catalogue)]) {
      expect(html).not.toMatch(/<script|<\/script|<b>x|javascript:x"/i);
      const tags = [...html.matchAll(/<\/?([a-z]+)/g)].map((match) => match[1]);
      expect(tags.filter((tag) => !['p', 'strong', 'blockquote', 'a', 'b', 'i'].includes(tag ?? ''))).toEqual([]);
      expect(balanced(html), html).toBe(true);
    }
  });

  it.each(all.map((body) => [body.event, body] as const))(
    '%s holds no marker that a poll would take for a word of a person',
    (_event, body) => {
      expect(saidIn(commentHtml(notice(body), catalogue)).marker).toBeNull();
    },
  );

  it.each(all.map((body) => [body.event, body] as const))(
    '%s fits into a Telegram message, whatever it quotes',
    (_event, body) => {
      for (const filler of ['&'.repeat(9000), '👩‍👩‍👧‍👦'.repeat(2000), 'é'.repeat(9000), 'a\n'.repeat(9000)]) {
        const said = notice({ ...fill(body, filler), event: body.event } as NoticeEvent, { title: filler });
        const html = cutHtml(chatHtml(said, catalogue), 4096);
        expect(html.length).toBeLessThanOrEqual(4096);
        expect(balanced(html)).toBe(true);
        expect(html).not.toMatch(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/);
        expect(html).not.toMatch(/&#?\w*$/);
      }
    },
  );
});

describe('what is said twice', () => {
  const said = (text: string, clearedBy: string): string =>
    commentHtml(
      notice({ event: 'hold', cause: 'pr_review', text, clearedBy, command: null, detail: '' }),
      catalogueOf('en'),
    );

  it('is said once: a reason or a cure that only repeats what stands above it is left out', () => {
    const html = said('waits for a review of the pull request', 'an approving review of the pull request');
    expect(html).toContain('Waiting for a review of the pull request.');
    expect(html).not.toContain('waits for a review');
    expect(html).toContain('Cleared by: an approving review');
    expect(said('2 of 3 reviews are there', 'x')).toContain('2 of 3 reviews are there');
  });

  it.each<[Language, string]>([
    ['en', 'analysis → architecture (round 2)'],
    ['ru', 'анализ → архитектура (раунд 2)'],
  ])('in %s has its round behind it where it is said again', (language, wanted) => {
    const body = { event: 'stage_changed', from: 'analysis', to: 'architecture', by: null } as const;
    expect(commentHtml({ ...notice(body), round: 2 }, catalogueOf(language))).toContain(wanted);
  });

  it.each([
    [1, '1 minute'],
    ['1', '1 minute'],
    [0, '0 minutes'],
    [2, '2 minutes'],
    ['0.4', '0.4 minutes'],
  ])('%s is counted as %s', (n, wanted) => {
    expect(counted(n, 'minute')).toBe(wanted);
  });
});

describe('excerpts', () => {
  it.each<[string, string, number, string]>([
    ['short text stays', 'abc', 3, 'abc'],
    ['spaces around do not count', '  abc  ', 3, 'abc'],
    ['long text is cut with a sign', 'abcdef', 4, 'abc…'],
    ['no space before the sign', 'ab cdef', 4, 'ab…'],
    ['Cyrillic', 'корзина', 4, 'кор…'],
    ['never within an emoji', '🚀🚀🚀🚀', 3, '🚀🚀…'],
    ['never within a letter and its accent', 'e\u0301e\u0301e\u0301', 4, 'e\u0301…'],
    ['never within a family', '👩‍👩‍👧x👩‍👩‍👧', 9, '👩‍👩‍👧x…'],
    ['never within a flag', '🇩🇪🇫🇷🇮🇹', 4, '🇩🇪…'],
    ['but an endless character is cut', `a${'\u0301'.repeat(90)}`, 50, `a${'\u0301'.repeat(48)}…`],
    ['empty', '', 5, ''],
  ])('%s', (_name, text, length, wanted) => {
    expect(excerpt(text, length)).toBe(wanted);
  });
});

describe('escaping', () => {
  it('leaves no character that has a meaning in HTML', () => {
    expect(escapeHtml(`<a href="x" title='y'>&`)).toBe('&#60;a href=&#34;x&#34; title=&#39;y&#39;&#62;&#38;');
  });
});

/** Every text of an event replaced. */
function fill(body: NoticeEvent, text: string): Record<string, unknown> {
  const fixed = ['event', 'role', 'kind', 'from', 'to', 'cause'];
  return Object.fromEntries(
    Object.entries(body).map(([key, value]: [string, unknown]) => {
      if (fixed.includes(key) && !(key === 'cause' && body.event === 'bounce')) return [key, value];
      if (typeof value === 'string') return [key, text];
      return [key, Array.isArray(value) ? [text, text] : value];
    }),
  );
}

/** Whether every tag that opens is closed, in order. */
function balanced(html: string): boolean {
  const open: string[] = [];
  for (const [, slash, name] of html.matchAll(/<(\/?)([a-z]+)[^>]*>/g)) {
    if (slash === '') open.push(name ?? '');
    else if (open.pop() !== name) return false;
  }
  return open.length === 0;
}
