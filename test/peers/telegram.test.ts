import { describe, expect, it } from 'vitest';
import { cutHtml } from '../../src/core/peers/telegram/cut-html.ts';
import { createTelegram } from '../../src/core/peers/telegram/telegram.ts';
import { failureOf } from './errors-of.ts';
import { fakeServer, html, json } from './fake-server.ts';
import type { Handler } from './fake-server.ts';

const token = '12345:AAE-secret_token';

async function against(handler: Handler) {
  const server = await fakeServer(handler);
  const telegram = createTelegram({ token: () => token, chatId: '-1001', apiUrl: `${server.url}/`, timeoutMs: 200 });
  return { server, telegram };
}

describe('telegram', () => {
  it('sends HTML without link previews to the configured chat', async () => {
    const { server, telegram } = await against((_seen, response) => json(response, 200, { ok: true, result: {} }));
    await telegram.send('<b>done</b>');
    expect(server.seen[0]).toMatchObject({ method: 'POST', path: `/bot${token}/sendMessage` });
    expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual({
      chat_id: '-1001',
      text: '<b>done</b>',
      parse_mode: 'HTML',
      link_preview_options: { is_disabled: true },
    });
  });

  it.each([
    [
      '429 with its own wait',
      429,
      { ok: false, parameters: { retry_after: 17 } },
      'telegram_rate_limited',
      'later',
      17_000,
    ],
    ['429 without a wait', 429, { ok: false }, 'telegram_rate_limited', 'later', undefined],
    ['a revoked token', 401, { ok: false, description: 'Unauthorized' }, 'telegram_token_refused', 'never', undefined],
    ['a malformed token', 404, { ok: false, description: 'Not Found' }, 'telegram_token_refused', 'never', undefined],
    [
      'an unknown chat',
      400,
      { ok: false, description: 'Bad Request: chat not found' },
      'telegram_refused',
      'never',
      undefined,
    ],
    ['trouble there', 502, { ok: false }, 'telegram_server_error', 'later', undefined],
    ['ok:false with 200', 200, { ok: false }, 'telegram_garbage', 'later', undefined],
  ])('%s', async (_name, status, body, code, retry, retryAfterMs) => {
    const { telegram } = await against((_seen, response) => json(response, status, body));
    expect(await failureOf(telegram.send('x'), [token])).toMatchObject({ code, retry, retryAfterMs });
  });

  it('says the new number of a group that became a supergroup', async () => {
    const body = {
      ok: false,
      error_code: 400,
      description: 'Bad Request: group chat was upgraded to a supergroup chat',
      parameters: { migrate_to_chat_id: -1002233445566 },
    };
    const { telegram } = await against((_seen, response) => json(response, 400, body));
    const error = await failureOf(telegram.send('x'), [token]);
    expect(error).toMatchObject({ code: 'telegram_refused', retry: 'never' });
    expect(error.hint).toContain('set telegram.chatId to "-1002233445566"');
  });

  it.each([
    ['a page', (response: Parameters<Handler>[1]) => html(response, 200), 'telegram_garbage'],
    ['a page with 404', (response: Parameters<Handler>[1]) => html(response, 404), 'telegram_garbage'],
    ['silence', () => {}, 'telegram_unreachable'],
    [
      'an error that repeats the address',
      (response: Parameters<Handler>[1]) => json(response, 400, { description: `no /bot${token}/sendMessage` }),
      'telegram_refused',
    ],
    [
      'a redirect with the token in it',
      (response: Parameters<Handler>[1]) => html(response, 301, { location: `https://other/bot${token}/sendMessage` }),
      'telegram_refused',
    ],
  ])('answers %s with an error without the token', async (_name, answer, code) => {
    const { telegram } = await against((_seen, response) => answer(response));
    expect(await failureOf(telegram.send('x'), [token, 'AAE-secret'])).toMatchObject({ code });
  });

  it('cuts what is longer than Telegram takes', async () => {
    const { server, telegram } = await against((_seen, response) => json(response, 200, { ok: true }));
    await telegram.send(`<b>${'😀'.repeat(3_000)}</b>`);
    const { text } = JSON.parse(server.seen[0]?.body ?? '') as { text: string };
    expect(text.length).toBeLessThanOrEqual(4096);
    expect(text.length).toBeGreaterThan(4090);
    expect(text).toMatch(/^<b>(?:😀)+…<\/b>$/u);
  });
});

describe('cutHtml', () => {
  it.each([
    ['short', 10, 'short'],
    ['abcdefghij', 6, 'abcde…'],
    ['ab&amp;cd', 7, 'ab…'],
    ['ab&amp;cd&lt;', 10, 'ab&amp;cd…'],
    ['<b>abcdef</b>', 12, '<b>abcd…</b>'],
    ['<a href="https://x/y">link text</a>', 34, '<a href="https://x/y">link te…</a>'],
    ['<a href="https://x/y">link</a>', 20, '…'],
    ['<b><i>abcdefghijkl</i></b> tail', 20, '<b><i>abcde…</i></b>'],
    ['<b>ab</b> 5 < 6 & more text', 16, '<b>ab</b> 5 < 6…'],
  ])('%s to %i', (text, max, expected) => {
    expect(cutHtml(text, max)).toBe(expected);
    expect(cutHtml(text, max).length).toBeLessThanOrEqual(max);
  });
});
