import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { packageRoot } from '../../src/core/platform/files.ts';
import { startWorld } from '../../src/sandbox/world.ts';
import { orchHost } from '../support/crash.ts';
import { figure } from './numbers.ts';
import type { Aim, BenchContext, Section } from './section.ts';

/** A tick a second is the shortest that a schedule can say. */
const everySecond = '* * * * * *';
const tickMs = 1000;
const maxMegabytes = 150;

interface Look {
  tick: number;
  megabytes: number[];
  descriptors: number[];
}

/** (g) What the two services keep of the machine, as the systemd units start them. */
export async function memory({ form, folder, say }: BenchContext): Promise<Section> {
  const unit = readFileSync(path.join(packageRoot(), 'deploy/systemd/orch-poller.service'), 'utf8');
  const options = /NODE_OPTIONS=([^"\n]+)/.exec(unit)?.[1] ?? '';
  const world = await startWorld({ root: folder, lagMs: 5, workerDelayMs: 5 });
  const host = orchHost(world, folder);
  const env = { NODE_OPTIONS: options };
  const services = [host.start(['serve-poller', '--schedule', everySecond], env)];
  try {
    await wait(3000);
    services.push(host.start(['run-worker'], env));
    const description = '<p>Regular customers get ten percent off.</p>';
    world.plane.addItem(world.project, world.people.lead, { name: 'A discount', description_html: description });
    const looks: Look[] = [];
    const every = form.serviceTicks / 10;
    for (let tick = every; tick <= form.serviceTicks; tick += every) {
      await wait(every * tickMs);
      looks.push({
        tick,
        megabytes: services.map(
          ({ pid }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
        ),
        descriptors: services.map(({ pid }) => readdirSync(`/proc/${pid}/fd`).length),
      });
      say(`${tick} ticks: ${looks.at(-1)?.megabytes.map(Math.round).join(' + ')} MB`);
    }
    return report(looks, options);
  } finally {
    for (const service of services) service.kill('SIGTERM');
    await Promise.all(services.map(({ ended }) => ended));
    await world.close();
  }
}

const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

function report(looks: Look[], options: string): Section {
  const last = looks.at(-1) as Look;
  // Where it has started: one agent has run, and each kind of call has been made.
  const settled = looks[Math.floor(looks.length / 2)] as Look;
  const total = sum(last.megabytes);
  const grown = sum(last.descriptors) - sum(settled.descriptors);
  const aim = (what: string, aimed: string, measured: string, by: number): Aim => ({
    what,
    aim: aimed,
    measured,
    met: by <= 0,
    missedBy: by <= 0 ? '' : figure(by),
    why: 'About 50 MB of each are the program of Node.js itself, which both share.',
  });
  return {
    title: 'What the services keep',
    text: [
      `\`serve-poller\` and \`run-worker\` with \`NODE_OPTIONS="${options}"\`, as the systemd units start them, a tick each second; one analyst runs, ` +
        'then its task waits for a person. Resident memory as the kernel counts it, what both share counted twice.',
    ],
    tables: [
      {
        head: ['ticks', 'poller, MB', 'worker, MB', 'file descriptors'],
        rows: looks.map(({ tick, megabytes, descriptors }) => [
          figure(tick),
          ...megabytes.map(figure),
          descriptors.join(' + '),
        ]),
      },
    ],
    aims: [
      aim(
        `Both services after ${figure(last.tick)} ticks`,
        `≤ ${maxMegabytes} MB`,
        `${figure(total)} MB`,
        total - maxMegabytes,
      ),
      aim(
        'Memory that the second half of the ticks adds',
        '≤ 5 MB',
        `${figure(total - sum(settled.megabytes))} MB`,
        total - sum(settled.megabytes) - 5,
      ),
      aim(
        'File descriptors that the second half adds',
        '≤ 6, the connections that are kept open',
        String(grown),
        grown - 6,
      ),
    ],
  };
}
