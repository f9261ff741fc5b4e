/** Asks every `everyMs` until the answer is true; throws, naming what was waited for, when `limitMs` have passed. */
export async function until(
  what: string,
  ask: () => boolean | Promise<boolean>,
  limitMs = 30_000,
  everyMs = 50,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await ask())) {
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
