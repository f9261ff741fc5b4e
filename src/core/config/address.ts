/** An address to which a path beginning with `/` can be added. */
export function withoutTrailingSlash(address: string): string {
  return address.replace(/\/+$/, '');
}
