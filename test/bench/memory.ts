import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { packageRoot } from '../../src/core/platform/files.ts';
import { startWorld } from '../../src/sandbox/world.ts';
import { orchHost, type OrchProcess } from '../support/crash.ts';
import { figure } from './numbers.ts';
import type { Aim, BenchContext, Section } from './section.ts';

/** A tick a second is the shortest that a schedule can say. */
const everySecond = '* * * * * *';
const tickMs = 1000;
const maxMegabytes = 150;

interface Look {
  tick: number;
  /** Resident, of each service. */
  megabytes: number[];
  /** Resident of both, what files give (the program of Node.js) counted once. */
  together: number;
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
      looks.push({ tick, ...memoryOf(services), descriptors: services.map(descriptorsOf) });
      const { megabytes = [], together = 0 } = looks.at(-1) ?? {};
      say(`${tick} ticks: ${megabytes.map(Math.round).join(' + ')} MB, together ${Math.round(together)} MB`);
    }
    return report(looks, options);
  } finally {
    for (const service of services) service.kill('SIGTERM');
    await Promise.all(services.map(({ ended }) => ended));
    await world.close();
  }
}

function memoryOf(services: OrchProcess[]): Pick<Look, 'megabytes' | 'together'> {
  const maps = services.map(({ pid }) => readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  const all = (name: string): number[] =>
    maps.map((text) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)?.[1]) / 1024);
  const [megabytes, own] = [all('Rss'), all('Anonymous')];
  const ofFiles = megabytes.map((resident, n) => resident - (own[n] ?? 0));
  return { megabytes, together: sum(own) + Math.max(...ofFiles) };
}

function descriptorsOf({ pid }: OrchProcess): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

function report(looks: Look[], options: string): Section {
  const last = looks.at(-1) as Look;
  // Where it has started: one agent has run, and each kind of call has been made.
  const settled = looks[Math.floor(looks.length / 2)] as Look;
  const grown = sum(last.descriptors) - sum(settled.descriptors);
  const aim = (what: string, aimed: string, measured: string, by: number): Aim => ({
    what,
    aim: aimed,
    measured,
    met: by <= 0,
    missedBy: by <= 0 ? '' : figure(by),
    why: 'More than a third of it is the program of Node.js itself.',
  });
  return {
    title: 'What the services keep',
    text: [
      `\`serve-poller\` and \`run-worker\` with \`NODE_OPTIONS="${options}"\`, as the systemd units start them, a tick each second; one analyst runs, ` +
        'then its task waits for a person. Resident memory as the kernel counts it; `together` counts the pages of files, the program of Node.js above all, once.',
    ],
    tables: [
      {
        head: ['ticks', 'poller, MB', 'worker, MB', 'together, MB', 'file descriptors'],
        rows: looks.map(({ tick, megabytes, together, descriptors }) => [
          figure(tick),
          ...megabytes.map(figure),
          figure(together),
          descriptors.join(' + '),
        ]),
      },
    ],
    aims: [
      aim(
        `Both services after ${figure(last.tick)} ticks`,
        `≤ ${maxMegabytes} MB`,
        `${figure(last.together)} MB`,
        last.together - maxMegabytes,
      ),
      aim(
        'Memory that the second half of the ticks adds',
        '≤ 5 MB',
        `${figure(last.together - settled.together)} MB`,
        last.together - settled.together - 5,
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
