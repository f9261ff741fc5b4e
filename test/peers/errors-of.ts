import { inspect } from 'node:util';
import { expect } from 'vitest';
import { OrchError } from '../../src/core/model/index.ts';

/** Awaits a failure, checks that nothing in it holds one of the secrets, and returns it. */
export async function failureOf(call: Promise<unknown>, secrets: string[]): Promise<OrchError> {
  const error: unknown = await call.then(
    (value) => {
      throw new Error(`expected a failure, got ${inspect(value)}`);
    },
    (reason: unknown) => reason,
  );
  if (!(error instanceof OrchError)) throw error;
  const everything = inspect(error, { depth: 10, showHidden: true });
  for (const secret of secrets) expect(everything).not.toContain(secret);
  expect(error.message).not.toMatch(/[\n\r\u001b]/);
  return error;
}
