import { OrchError } from '../../model/index.ts';

/**
 * One segment of a path, encoded. Dots alone are refused: they survive encoding, and the URL parser would climb with them.
 * @throws OrchError `bad_path` for an empty segment, `.` or `..`
 */
export function segment(text: string): string {
  if (text === '' || text === '.' || text === '..') {
    throw new OrchError(`"${text}" cannot be part of an address`, { code: 'bad_path' });
  }
  return encodeURIComponent(text);
}

/** A name with slashes (a branch): every part encoded, the slashes kept, because some proxies decode `%2F`. */
export function slashed(text: string): string {
  return text.split('/').map(segment).join('/');
}
