import type { App } from '../../app.ts';
import type { DecisionRow, Run, TaskRow, Visit } from '../../core/model/index.ts';
import { parseCommitSha } from '../../core/model/index.ts';
import { linksOf } from '../../core/peers/links.ts';
import { htmlText } from '../../core/pipeline/markers.ts';
import { stageNames } from '../../core/pipeline/stages/index.ts';
import type { DemoEnd } from '../../sandbox/demo/drive.ts';
import type { DemoSite } from '../../sandbox/demo/site.ts';
import { shortShas } from './lines.ts';

/** What came of a demonstration, read back from the database, the branch and the servers. */
export interface DemoReport {
  row: TaskRow;
  durationMs: number;
  visits: { stage: string; ms: number; runs: number; costMicros: number; ended: string; back: boolean }[];
  comments: { by: string; text: string }[];
  commits: { sha: string; subject: string }[];
  pull: { number: number; url: string; merged: string | null } | null;
  telegramMessages: number;
}

const maxRows = 200;

/** @param startedAt when the demonstration began, milliseconds since the epoch */
export async function collectReport(app: App, site: DemoSite, end: DemoEnd, startedAt: number): Promise<DemoReport> {
  const { store } = app;
  const taskId = end.taskId;
  const row = await store.task(taskId);
  if (row === null) throw new Error(`the demonstration's task ${taskId} is not in its database`);
  const decisions = (await store.decisions({ taskId, limit: maxRows })).toReversed();
  const runs = await store.runs({ taskId, limit: maxRows });
  const { world } = site;
  const { prNumber, repo } = row.task;
  const pull = world.repo.pulls.find((other) => other.number === prNumber);
  return {
    row,
    durationMs: store.now() - startedAt,
    visits: stays(await store.visits(taskId), decisions, runs, row.task.updatedAt),
    comments: world.plane.commentsOf(end.item).map((comment) => ({
      by: world.plane.state.users.find((user) => user.id === comment.actor)?.displayName ?? 'somebody',
      // The last paragraph of orch's comments is a row of links.
      text: htmlText(comment.html.replace(/<p>(?:<a [^>]*>[^<]*<\/a>(?: · )?)+<\/p>$/, '')).trim(),
    })),
    commits: await commitsOf(app, site, row),
    pull:
      pull === undefined
        ? null
        : {
            number: pull.number,
            url: linksOf(app.config).pull(repo, pull.number),
            merged: pull.merged?.sha ?? null,
          },
    telegramMessages: world.telegram.messages.length,
  };
}

/** Every stay in a stage with what ended it; a stay that began again in the same stage has no transition of its own. */
function stays(visits: Visit[], decisions: DecisionRow[], runs: Run[], endedAt: number): DemoReport['visits'] {
  const moves = decisions.filter((decision) => decision.fromStage !== decision.toStage);
  let from = 0;
  return visits.map((visit, at) => {
    const until = visits[at + 1]?.startedAt ?? endedAt;
    const mine = runs.filter((run) => run.startedAt >= visit.startedAt && run.startedAt < until);
    const found = moves.findIndex((move, i) => i >= from && move.fromStage === visit.stage);
    const again = visits[at + 1]?.stage === visit.stage;
    const move = again || found < 0 ? undefined : moves[found];
    if (move !== undefined) from = found + 1;
    return {
      stage: visit.stage,
      ms: until - visit.startedAt,
      runs: mine.length,
      costMicros: mine.reduce((sum, run) => sum + (run.outcome?.costMicros ?? 0), 0),
      ended: shortShas(move?.why.sentence ?? visits[at + 1]?.why ?? ''),
      back: move !== undefined && stageNames.indexOf(move.toStage) < stageNames.indexOf(move.fromStage),
    };
  });
}

/** Commits of the task's branch, oldest first. */
async function commitsOf({ git }: App, site: DemoSite, { task }: TaskRow): Promise<DemoReport['commits']> {
  await git.fetch(task.repo, [task.baseBranch, task.branch]);
  const head = await git.head(task.repo, task.branch);
  if (head === null) return [];
  const commits = await git.commitsSince(task.repo, parseCommitSha(site.base), head);
  return commits.toReversed().map(({ sha, message }) => ({ sha, subject: message.split('\n')[0] ?? '' }));
}
