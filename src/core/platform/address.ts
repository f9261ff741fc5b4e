/** A base address without trailing slashes, so that a path that begins with a slash can be added. */
export function baseAddress(url: string): string {
  return url.replace(/\/+$/, '');
}
