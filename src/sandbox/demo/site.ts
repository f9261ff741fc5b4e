import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { demoScript, writeAgentScript } from '../agent/script.ts';
import { startCi } from '../gitea/ci.ts';
import type { WorkItem } from '../plane/state.ts';
import { startWorld, type World } from '../world.ts';

/** Everything a demonstration stands on: the servers, one configuration file, and the environment orch runs in. */
export interface DemoSite {
  root: string;
  world: World;
  /** Head of the base branch before anything happens. */
  base: string;
  /** The configuration, as a user would have it. */
  file: string;
  /** Nothing of the caller's own settings but the search path, locale and time zone, and a home folder of its own. */
  env: Record<string, string>;
  /** A person writes the work item that the demonstration is about. */
  writeItem(): WorkItem;
  /** The scripted human says yes in Plane. */
  approve(item: WorkItem): string;
  close(): Promise<void>;
}

/** Lag of the servers' background work, milliseconds: seen by orch as on real servers, but nobody waits for it. */
const lagMs = 5;
const kept = ['PATH', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ'];

/**
 * Starts the sandbox with a CI that is always green and agents that are scripted: the reviewer asks for changes once.
 * @param root empty folder for everything
 */
export async function buildDemo(root: string, callerEnv: NodeJS.ProcessEnv): Promise<DemoSite> {
  const agentScript = writeAgentScript(path.join(root, 'script'), demoScript);
  const world = await startWorld({ root, lagMs, workerDelayMs: lagMs, agentScript });
  // So that a look around with git and curl needs no token.
  world.repo.private = false;
  const stopCi = startCi(world.gitea, world.repo, { decide: () => 'success' });
  const home = path.join(root, 'home');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const file = path.join(root, 'orchestrator.config.json');
  writeFileSync(file, `${JSON.stringify(world.config, null, 2)}\n`);
  const inherited = kept.flatMap((name) => {
    const value = callerEnv[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    root,
    world,
    base: world.repo.heads.get(world.repo.defaultBranch) ?? '',
    file,
    env: { ...(Object.fromEntries(inherited) as Record<string, string>), HOME: home, ...world.env },
    writeItem: () =>
      world.plane.addItem(world.project, world.people.lead, {
        name: 'Discount for regular customers',
        description_html:
          '<p>Regular customers get a discount of ten percent on every cart.</p><ul><li>the cart shows it</li><li>it never makes a price negative</li></ul>',
      }),
    approve(item) {
      world.plane.commentAs(world.people.lead, item, '<p>:approved: looks right, go ahead</p>');
      return ':approved: looks right, go ahead';
    },
    close: async () => {
      stopCi();
      await world.close();
    },
  };
}
