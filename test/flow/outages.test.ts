import { afterEach, expect, test } from 'vitest';
import { outageAlertMs } from '../../src/pollers/outages.ts';
import { leapClock } from '../support/leap-clock.ts';
import { startLine, type Line } from '../support/line.ts';
import { lasting } from '../support/trouble.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

const alerts = ({ world }: Line): string[] =>
  world.telegram.messages.map(({ text }) => text).filter((text) => /orch (is in trouble|works again)/.test(text));

test('an outage of a peer: one alert after ten minutes, one when it is over, none twice over restarts', async () => {
  const clock = leapClock();
  const run = await startLine({ script: { roles: {} }, appClock: clock });
  line = run;
  await run.tick();
  const down = lasting(/./, { kind: 'answer', status: 503, body: 'away' });
  run.world.plane.faults.push(down);

  await run.tick();
  clock.skip(outageAlertMs / 2);
  await run.tick();
  expect(alerts(run)).toEqual([]);

  clock.skip(outageAlertMs / 2);
  await run.tick();
  expect(alerts(run)).toEqual([expect.stringMatching(/orch is in trouble[^]*Polling Plane for /)]);

  for (let n = 0; n < 2; n += 1) {
    await run.reopen();
    clock.skip(outageAlertMs);
    await run.tick();
  }
  expect(alerts(run)).toHaveLength(1);

  run.world.plane.faults.splice(run.world.plane.faults.indexOf(down), 1);
  for (let n = 0; n < 2; n += 1) {
    clock.skip(120_000);
    await run.tick();
  }
  expect(alerts(run).slice(1)).toEqual([expect.stringMatching(/orch works again[^]*Polling Plane for /)]);

  // Another outage is another alert, and a short one is none.
  run.world.plane.faults.push(down);
  await run.tick();
  clock.skip(outageAlertMs / 2);
  await run.tick();
  run.world.plane.faults.splice(run.world.plane.faults.indexOf(down), 1);
  clock.skip(120_000);
  await run.tick();
  expect(alerts(run)).toHaveLength(2);
}, 240_000);
