import { afterEach, beforeEach, describe } from 'vitest';
import type { Bench } from './bench.ts';
import { claimSuite } from './conformance/claim.ts';
import { clockSuite } from './conformance/clock.ts';
import { leasedSuite } from './conformance/leased.ts';
import { observeSuite } from './conformance/observe.ts';
import { outboxSuite } from './conformance/outbox.ts';
import { packedSuite } from './conformance/packed.ts';
import { processSuite } from './conformance/processes.ts';
import { projectsSuite } from './conformance/projects.ts';
import { raceSuite } from './conformance/races.ts';
import { readSuite } from './conformance/reads.ts';
import { reconcileSuite } from './conformance/reconcile.ts';
import { requestSuite } from './conformance/requests.ts';
import { wordSuite } from './conformance/words.ts';

/** What every driver of the store port must do; `makeBench` gives a fresh database each time. */
export function storeConformance(name: string, makeBench: () => Promise<Bench>): void {
  describe(`store: ${name}`, () => {
    let bench: Bench;
    beforeEach(async () => {
      bench = await makeBench();
    });
    afterEach(() => bench.close());
    const get = (): Bench => bench;
    observeSuite(get);
    reconcileSuite(get);
    claimSuite(get);
    projectsSuite(get);
    leasedSuite(get);
    outboxSuite(get);
    processSuite(get);
    clockSuite(get);
    requestSuite(get);
    readSuite(get);
    packedSuite(get);
    raceSuite(get);
    wordSuite(get);
  });
}
