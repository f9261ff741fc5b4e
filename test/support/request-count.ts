import { runRounds } from '../../src/core/engine/rounds.ts';
import { taskIdOf, type TaskId } from '../../src/core/model/index.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import { settled } from './plane-side.ts';
import type { Line } from './line.ts';

/** What one run asked the forge for, from its claim until the next job was queued. */
interface RunRequests {
  role: string;
  /** Routes of the API, in order. */
  api: string[];
  /** Requests of git over HTTP. */
  git: string[];
}

export interface TaskRequests {
  taskId: TaskId;
  /** Routes that the tracker was asked for, in order, from the tick that first saw the item until the task was done. */
  tracker: string[];
  runs: RunRequests[];
  /** What the ticks between the runs asked the forge for. */
  ticks: string[];
}

/** `GET items/:id/comments` of `GET /api/v1/workspaces/acme/projects/<uuid>/work-items/<uuid>/comments/?per_page=100`. */
function routeOf(request: string): string {
  const [method = '', target = ''] = request.split(' ');
  const path = (target.split('?', 1)[0] ?? '')
    .replace(/^\/api\/v1\/(workspaces\/[^/]+|repos\/[^/]+\/[^/]+)\/?/, '')
    .replace(/^projects\/[^/]+\//, '')
    .replace(/[0-9a-f]{40}/g, ':sha')
    .replace(/[0-9a-f-]{36}/g, ':id')
    .replace('work-items', 'items')
    .replace(/^pulls\/\d+/, 'pulls/:n')
    .replace(/\/$/, '');
  return `${method} ${path === '' ? 'repository' : path}`;
}

/** How often each route was asked for, as text. */
export function counted(routes: string[]): string {
  const counts = new Map<string, number>();
  for (const route of routes) counts.set(route, (counts.get(route) ?? 0) + 1);
  return [...counts].map(([route, n]) => `${n} × ${route}`).join(', ');
}

/** Takes one task without a bounce through the whole line and notes what the peers were asked for. */
export async function countRequests(line: Line): Promise<TaskRequests> {
  const { world, app } = line;
  const { plane, gitea } = world;
  startCi(gitea, world.repo, { decide: () => 'success' });
  await line.tick();
  const from = plane.requests.length;
  let seen = gitea.requests.length;
  const forge = (): string[] => {
    const all = gitea.requests.slice(seen);
    seen += all.length;
    return all;
  };
  const item = plane.addItem(world.project, world.people.lead, {
    name: 'Discount for regular customers',
    description_html: '<p>Regular customers get a discount of ten percent on every cart.</p>',
  });
  const taskId = taskIdOf('ET', item.sequence);
  const found: TaskRequests = { taskId, tracker: [], runs: [], ticks: [] };
  const work = createWorker(
    app.workerDeps(async () => {
      await runRounds({ decisions: 0, delivered: 0, problems: [] }, app.engine);
      const all = forge();
      const [last] = await app.store.runs({ taskId, limit: 1 });
      found.runs.push({
        role: last?.role ?? '',
        api: all.filter((request) => request.includes(' /api/')).map(routeOf),
        git: all.filter((request) => !request.includes(' /api/')),
      });
    }),
  );
  for (let round = 0; round < 20; round += 1) {
    await settled(line);
    await line.tick();
    found.ticks.push(...forge());
    await work.runUntilEmpty();
    const row = await line.task(taskId);
    if (row.task.stage === 'done' && row.pendingEffects === 0) break;
    if (row.task.hold?.cause === 'approval') plane.commentAs(world.people.lead, item, '<p>:approved:</p>');
  }
  found.tracker = plane.requests.slice(from).map(routeOf);
  return found;
}
