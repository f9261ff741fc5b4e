/** `1 minute`, `2 minutes`: a number with its word. */
export function counted(n: number | string, word: string): string {
  return `${n} ${word}${String(n) === '1' ? '' : 's'}`;
}
