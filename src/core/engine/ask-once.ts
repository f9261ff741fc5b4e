import type { Forge, Tracker, WorkItem } from '../model/index.ts';

/**
 * For how long an answer is taken for what the server would say now, milliseconds: the steps of one round follow each other
 * within a second; where a server makes them take longer, it is asked again.
 */
const maxAgeMs = 3_000;

/** Answers by what was asked; one that failed is an answer, too: a server that hangs is not waited for twice in a round. */
class Answers {
  private readonly known = new Map<string, { at: number; answer: Promise<unknown> }>();

  ask<T>(key: string, call: () => Promise<T>): Promise<T> {
    const known = this.known.get(key);
    if (known !== undefined && performance.now() - known.at < maxAgeMs) return known.answer as Promise<T>;
    const answer = call();
    // Whoever asked gets the failure; nobody else needs to hear of it.
    answer.catch(() => undefined);
    this.put(key, answer);
    return answer;
  }

  put(key: string, answer: Promise<unknown>): void {
    this.known.set(key, { at: performance.now(), answer });
  }

  clear(): void {
    this.known.clear();
  }
}

/** Those that answer once already: a tick hands its own to its rounds. */
const made = new WeakSet<Forge | Tracker>();

/** A forge for one tick or one call of `runRounds`: what it was asked a moment ago is not asked again, until something is written to it. */
export function askForgeOnce(forge: Forge): Forge {
  if (made.has(forge)) return forge;
  const answers = new Answers();
  const written = async <T>(write: () => Promise<T>): Promise<T> => {
    answers.clear();
    try {
      return await write();
    } finally {
      answers.clear();
    }
  };
  const once: Forge = {
    ...forge,
    pull: (repo, number) => answers.ask(`pull ${repo} ${number}`, () => forge.pull(repo, number)),
    reviews: (repo, number) => answers.ask(`reviews ${repo} ${number}`, () => forge.reviews(repo, number)),
    statuses: (repo, sha) => answers.ask(`statuses ${repo} ${sha}`, () => forge.statuses(repo, sha)),
    protection: (repo, branch) => answers.ask(`protection ${repo} ${branch}`, () => forge.protection(repo, branch)),
    openPull: (repo, pull) => written(() => forge.openPull(repo, pull)),
    postReview: (repo, number, review) => written(() => forge.postReview(repo, number, review)),
    answer: (repo, number, said) => written(() => forge.answer(repo, number, said)),
    merge: (repo, request) => written(() => forge.merge(repo, request)),
  };
  made.add(once);
  return once;
}

/** As `item` answers it. */
function whole(item: WorkItem): WorkItem | null {
  return item.archived ? null : item;
}

/** A tracker for one tick or one call of `runRounds`: an item that was read or written a moment ago is not read again. */
export function askTrackerOnce(tracker: Tracker): Tracker {
  if (made.has(tracker)) return tracker;
  const answers = new Answers();
  const once: Tracker = {
    ...tracker,
    items: async (projectId, cursor) => {
      const page = await tracker.items(projectId, cursor);
      for (const item of page.items)
        if (item.descriptionHtml !== null) answers.put(`${projectId} ${item.id}`, Promise.resolve(whole(item)));
      return page;
    },
    item: (projectId, itemId) => answers.ask(`${projectId} ${itemId}`, () => tracker.item(projectId, itemId)),
    setState: async (projectId, itemId, stateId) => {
      answers.clear();
      const item = await tracker.setState(projectId, itemId, stateId);
      answers.put(`${projectId} ${itemId}`, Promise.resolve(item));
      return item;
    },
  };
  made.add(once);
  return once;
}
