/**
 * Asks every `everyMs` until the answer is true.
 * @param what named in the error; a function is called then, to say what there is instead
 * @throws Error when `limitMs` have passed
 */
export async function until(
  what: string | (() => string | Promise<string>),
  ask: () => boolean | Promise<boolean>,
  limitMs = 30_000,
  everyMs = 50,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await ask())) {
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms for ${typeof what === 'string' ? what : await what()}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
