import type { FaultAction, FaultRule } from '../../src/sandbox/faults.ts';

/** What a peer in trouble answers, by name. */
export type Trouble =
  | 'reset'
  | 'hang'
  | '401'
  | '403'
  | '404'
  | '404 of a proxy'
  | '409'
  | '429'
  | '429 in seconds'
  | '429 until a date'
  | '500'
  | '502 of a proxy'
  | 'html'
  | 'truncated'
  | 'emptied'
  | '301 elsewhere'
  | '307 elsewhere'
  | 'saved and 500'
  | 'saved and cut'
  | 'saved and silent';

/** A wait that is believed whole, and longer than any phase of a test. */
export const retryAfterSeconds = 3600;

const json = (status: number, body: unknown, headers: Record<string, string> = {}): FaultAction => ({
  kind: 'answer',
  status,
  body,
  headers,
});
const page = (status: number): FaultAction =>
  json(status, `<html><body>${status}</body></html>`, { 'content-type': 'text/html' });

/** @param elsewhere address of another host, where a token must never arrive */
export function actionOf(trouble: Trouble, peer: 'plane' | 'gitea', elsewhere: string): FaultAction {
  const says = (text: string): unknown =>
    peer === 'plane' ? { detail: text } : { message: text, url: 'http://docs.example.org' };
  switch (trouble) {
    case 'reset':
      return { kind: 'reset' };
    case 'hang':
      return { kind: 'hang' };
    case '401':
      return json(401, says('Authentication credentials were not provided.'));
    case '403':
      return json(403, says(peer === 'plane' ? 'Given API token is not valid' : 'user should have a permission'));
    case '404':
      return json(404, says('Not found.'));
    case '404 of a proxy':
      return page(404);
    case '409':
      return json(409, says('conflict'));
    case '429':
      return json(429, says('slow down'));
    case '429 in seconds':
      return json(429, says('slow down'), { 'retry-after': String(retryAfterSeconds) });
    case '429 until a date':
      return json(429, says('slow down'), {
        'retry-after': new Date(Date.now() + retryAfterSeconds * 1000).toUTCString(),
      });
    case '500':
      return json(500, says('internal error'));
    case '502 of a proxy':
      return page(502);
    case 'html':
      return { kind: 'html' };
    case 'truncated':
      return { kind: 'truncated' };
    case 'emptied':
      return { kind: 'emptied' };
    case '301 elsewhere':
      return json(301, '', { location: `${elsewhere}/moved` });
    case '307 elsewhere':
      return json(307, '', { location: `${elsewhere}/login` });
    case 'saved and 500':
      return { kind: 'saved-answer', status: 500, body: says('internal error') };
    case 'saved and cut':
      return { kind: 'saved-reset' };
    case 'saved and silent':
      return { kind: 'saved-hang' };
  }
}

/** A rule until it is taken out. */
export function lasting(match: RegExp, action: FaultAction): FaultRule {
  return { match, times: Number.POSITIVE_INFINITY, action };
}

/** Trouble in which a peer says nothing about what was asked: it is tried again for as long as it lasts. */
export const passing: Trouble[] = [
  'reset',
  '401',
  '403',
  '404 of a proxy',
  '500',
  '502 of a proxy',
  'html',
  '307 elsewhere',
];

/** Refusals in the peer's own words: believed when they last. */
export const refusing: Trouble[] = ['404', '409', '301 elsewhere'];

/** The request takes effect and its answer is lost: these end a row, because the task goes on after them. */
export const saving = ['saved and 500', 'saved and cut'] as const;
