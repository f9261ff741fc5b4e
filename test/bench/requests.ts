import { countRequests, counted } from '../support/request-count.ts';
import { startLine } from '../support/line.ts';
import type { Aim, BenchContext, Section } from './section.ts';

const mostOfTask = 20;
const mostOfRun = 12;

/** What one task without a bounce asks its peers for. */
export async function requests({ say }: BenchContext): Promise<Section> {
  say('one task goes through the line, its requests are counted');
  const line = await startLine({ script: { roles: {} } });
  try {
    const { tracker, runs } = await countRequests(line);
    const totals = runs.map(({ role, api, git }) => ({ role, n: api.length + git.length }));
    const largest = totals.reduce((most, one) => (one.n > most.n ? one : most), { role: '', n: 0 });
    const others = totals.filter((one) => one !== largest).map(({ n }) => n);
    return {
      title: 'Requests to the peers',
      text: [
        'One task goes from Plane to the merge without a bounce, on the embedded servers; everything they were asked for is counted, and no load of the machine changes the figures. Ticks without news (one list of Plane, one `ls-remote`) come on top, as often as the schedule says.',
        `Plane: ${counted(tracker)}.`,
      ],
      tables: [
        {
          head: ['run', "Gitea's API", 'git over HTTP', 'together', 'routes of the API'],
          rows: runs.map(({ role, api, git }) => [
            role,
            `${api.length}`,
            `${git.length}`,
            `${api.length + git.length}`,
            counted(api),
          ]),
        },
      ],
      aims: [
        aim('requests to Plane for a task', mostOfTask, tracker.length, ''),
        aim(
          'requests to Gitea for a run, the most',
          mostOfRun,
          largest.n,
          `The ${largest.role}'s end asks for the merge as well, with everything that is looked at before and after it; the other runs take ${Math.min(...others)} to ${Math.max(...others)}.`,
        ),
      ],
    };
  } finally {
    await line.close();
  }
}

function aim(what: string, most: number, measured: number, why: string): Aim {
  const met = measured <= most;
  return {
    what,
    aim: `at most ${most}`,
    measured: `${measured}`,
    met,
    missedBy: met ? '' : `${measured - most}`,
    why: met ? '' : why,
  };
}
