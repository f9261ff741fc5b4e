import { describe, expect, it } from 'vitest';

/**
 * A part of the real tests: run when its program can be had. Otherwise it is skipped and the reason printed – or, with
 * `ORCH_REAL_REQUIRED=1` (continuous integration), it fails with the reason.
 */
export function realPart(name: string, missing: string | null, body: () => void): void {
  if (missing === null) {
    describe(name, body);
    return;
  }
  if (process.env['ORCH_REAL_REQUIRED'] === '1') {
    describe(name, () => {
      it('can be had here', () => expect(missing).toBeNull());
    });
    return;
  }
  process.stderr.write(`skipped: ${name}: ${missing}\n`);
  describe.skip(name, body);
}
