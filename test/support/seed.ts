/**
 * Seed of a random test: `ORCH_TEST_SEED`, by which a failure is seen again, or else `usual`. Every random test has it in
 * its name or in what it prints when it fails.
 */
export function testSeed(usual: number): number {
  return givenSeed() ?? usual;
}

/** Seeds of a test that plays several games; only one when it was given. */
export function testSeeds(usual: number[]): number[] {
  const given = givenSeed();
  return given === null ? usual : [given];
}

function givenSeed(): number | null {
  const text = process.env['ORCH_TEST_SEED'] ?? '';
  if (text === '') return null;
  if (!/^-?\d+$/.test(text)) throw new Error(`ORCH_TEST_SEED is "${text}", not a whole number`);
  return Number(text);
}
