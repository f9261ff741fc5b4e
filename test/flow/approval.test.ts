import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { readProcess } from '../../src/core/platform/processes.ts';
import type { AgentCall, AgentScript } from '../../src/sandbox/agent/script.ts';
import type { Comment, WorkItem } from '../../src/sandbox/plane/state.ts';
import { startLine, type Line } from '../support/line.ts';
import { planeSide, settled, type PlaneSide } from '../support/plane-side.ts';
import { until } from '../support/until.ts';

const timeout = 120_000;

let line: Line;
let side: PlaneSide;
let item: WorkItem;
/** The lead's comment from before the request. */
let early: Comment;

/** A line with one item whose analysis waits for an approval. */
async function startAsked(roles: AgentScript['roles'] = {}): Promise<void> {
  line = await startLine({ script: { roles } });
  side = planeSide(line);
  await side.tick();
  item = side.add('A discount for regular customers');
  early = side.say(line.world.people.lead, item, '<p>I have a look tomorrow.</p>');
  await asked('the request for approval');
  await side.tick();
}

const asked = async (what: string): Promise<void> =>
  void (await line.until(what, side.id(item), (row) => row.task.hold?.cause === 'approval' && row.liveJob === null));

const sayAsLead = (html: string): Comment => side.say(line.world.people.lead, item, html);

describe('an analysis that waits for its approval', { timeout }, () => {
  beforeEach(async () => {
    await startAsked();
    return async () => {
      const keys = line.world.plane.commentsOf(item).flatMap((comment) => comment.externalId ?? []);
      expect(new Set(keys).size, 'no comment of orch stands there twice').toBe(keys.length);
      await line.close();
    };
  });

  test('is asked for once, with links to its documents', () => {
    expect(side.shown(item)).toBe('In Review');
    expect(side.noticesWith(item, 'Please read the analysis', ':approved:', '01-brd.md', '<a href=')).toHaveLength(1);
  });

  test('ignores the markers of others, in other words, in code and in quotations, and answers what was meant as one', async () => {
    const { people } = line.world;
    const before = side.notices(item).length;
    side.say(people.guest, item, '<p>:approved:</p>');
    side.rewrite(people.guest, early, '<p>:approved:</p>');
    side.say(people.member, item, '<p>:approved: I am no approver of this project</p>');
    side.say(people.lead, item, '<p>orch wrote this with a shared token</p><p>:approved:</p>', {
      external_source: 'orch',
    });
    for (const html of [
      '<p>not :approved:</p>',
      '<p>:approved:ish</p>',
      '<p>x<code>:approved:</code></p>',
      '<pre><code>:approved:</code></pre>',
      '<blockquote><p>:approved:</p></blockquote><p>says who?</p>',
      '<p>&gt; :approved:</p>',
    ])
      sayAsLead(html);
    await side.tick(3);
    expect((await side.row(item)).task).toMatchObject({ stage: 'analysis', hold: { cause: 'approval' } });
    expect(side.notices(item)).toHaveLength(before + 5);
    // The guest's comments are two, its own and the rewritten one.
    expect(side.noticesWith(item, 'Guest may not approve', 'Who may approve: Lead.')).toHaveLength(1);
    expect(side.noticesWith(item, 'Member may not approve')).toHaveLength(1);
    expect(side.noticesWith(item, 'Not understood')).toHaveLength(3);
  });

  test('is rejected by a comment with both markers, and the reason reaches the analyst', async () => {
    sayAsLead('<p>:approved: the goal,</p><p>:rejected: but <b>coupons</b> are missing</p>');
    await side.tick(3);
    expect((await side.row(item)).liveJob).toMatchObject({ role: 'analyst', state: 'queued' });
    expect(
      side.noticesWith(item, 'analyst runs again', 'rejected (1 of 3)', 'but **coupons** are missing'),
    ).toHaveLength(1);
    expect(side.shown(item)).toBe('In Progress');
    await line.work();
    await side.tick(3);
    const calls = side.calls(item, 'analyst');
    expect(calls).toHaveLength(2);
    expect(calls[1]?.orders).toContain('Rejected by Lead');
    expect(calls[1]?.orders).toContain('but **coupons** are missing');
    expect(side.noticesWith(item, 'Please read the analysis')).toHaveLength(2);
  });

  test('answers an approval of the text before: it does not count, also when it is edited later', async () => {
    sayAsLead('<p>:rejected: coupons are missing</p>');
    await side.tick(3);
    // Written before the new request, seen after it.
    const old = sayAsLead('<p>:approved: the old text was fine</p>');
    await settled(line);
    await line.work();
    await side.tick(3);
    expect(side.noticesWith(item, 'This approval does not count')).toHaveLength(1);
    expect((await side.row(item)).task).toMatchObject({ stage: 'analysis', hold: { cause: 'approval' } });
    side.rewrite(line.world.people.lead, old, '<p>:approved: the old text was really fine</p>');
    await side.tick(2);
    expect((await side.row(item)).task.stage).toBe('analysis');
  });

  test('takes a marker that the author adds to an earlier comment, and keeps the approval when it is deleted', async () => {
    const { plane, people } = line.world;
    side.rewrite(people.guest, early, '<p>:approved:</p>');
    await side.tick(2);
    side.rewrite(people.lead, early, '<p>:approved: now I have read it</p>');
    await side.tick(2);
    expect((await side.row(item)).task).toMatchObject({ stage: 'architecture', hold: null });
    expect(side.noticesWith(item, 'analysis → architecture', 'By Lead')).toHaveLength(1);
    plane.deleteComment(early);
    await side.tick(2);
    expect((await side.row(item)).liveJob).toMatchObject({ role: 'architect', state: 'queued' });
  });

  test('is asked for again when a person pushes to what was approved; the task goes on with the second one', async () => {
    sayAsLead('<p>:approved:</p>');
    await side.tick(2);
    const { gitea, repo, accounts } = line.world;
    const { branch } = (await side.row(item)).task;
    const criteria = `docs/work-items/${side.id(item)}/03-acceptance-criteria.md`;
    await gitea.pushFile(repo, branch, { [criteria]: '# Anything goes' }, 'by hand', accounts.owner);
    await line.until('the second request', side.id(item), (row) => row.task.hold?.cause === 'approval');
    expect((await side.row(item)).task.stage).toBe('architecture');
    expect(side.noticesWith(item, 'Please read the analysis')).toHaveLength(2);
    await settled(line);
    sayAsLead('<p>:approved: fine</p>');
    await line.until('the next stage', side.id(item), ({ task }) => task.stage === 'development');
    expect(await gitea.readFile(repo, branch, criteria)).toContain('Anything goes');
  });

  test('answers a second approval with what the task waits for now', async () => {
    sayAsLead('<p>:approved:</p>');
    await side.tick(2);
    sayAsLead('<p>:approved:</p>');
    await side.tick(5);
    expect(side.noticesWith(item, 'Nothing waits for an approval', 'The task waits for: the architect')).toHaveLength(
      1,
    );
    expect((await side.row(item)).task.stage).toBe('architecture');
  });
});

describe('a rejection while the architect works', { timeout }, () => {
  const go = 'architect-may-go';
  let architect: AgentCall | undefined;
  beforeAll(async () => {
    await startAsked({ architect: [{ waitFor: go }] });
    sayAsLead('<p>:approved:</p>');
    await side.tick();
    const working = line.work();
    await until('the architect', () => side.calls(item, 'architect').length === 1);
    [architect] = side.calls(item, 'architect');
    expect((await side.row(item)).run).toMatchObject({ role: 'architect' });
    sayAsLead('<p>:rejected: the goal is wrong</p>');
    await side.tick(3);
    await working;
    await asked('the second request');
  }, timeout);
  afterAll(() => line.close());

  test('stops the architect in the middle of its work', () => {
    expect(readProcess(architect?.pid ?? 0)).toBeNull();
    expect(existsSync(path.join(architect?.cwd ?? '', go))).toBe(false);
  });

  test('goes back one stage, to the analyst, with its reason', () => {
    const analyst = side.calls(item, 'analyst');
    expect(analyst).toHaveLength(2);
    expect(analyst[1]?.orders).toContain('the goal is wrong');
    expect(side.noticesWith(item, 'analyst runs again', 'rejected (1 of 3)', 'the goal is wrong')).toHaveLength(1);
  });

  test('starts nothing of the next visit before the old agent has ended', async () => {
    const runs = await line.app.store.runs({ taskId: side.id(item), limit: 20 });
    runs.sort((a, b) => a.startedAt - b.startedAt);
    expect(runs.map((run) => `${run.role} ${run.outcome?.kind ?? ''}`)).toEqual([
      'analyst success',
      'architect cancelled',
      'analyst success',
    ]);
    for (const [n, run] of runs.slice(1).entries())
      expect(run.startedAt).toBeGreaterThanOrEqual(runs[n]?.endedAt ?? Number.NaN);
  });
});

test(
  'the fourth rejection of a stage is held until a retry; each reason goes to the analyst once',
  { timeout },
  async () => {
    await startAsked();
    onTestFinished(() => line.close());
    const reasons = ['first reason', 'second reason', 'third reason', 'fourth reason'];
    for (const reason of reasons.slice(0, 3)) {
      sayAsLead(`<p>:rejected: ${reason}</p>`);
      await side.tick();
      await asked(`the request after the ${reason}`);
    }
    sayAsLead('<p>:rejected: fourth reason</p>');
    await side.tick(5);
    const { task, liveJob } = await side.row(item);
    expect(task).toMatchObject({ stage: 'analysis', hold: { cause: 'rejections', blocking: true } });
    expect(liveJob).toBeNull();
    expect(side.shown(item)).toBe('Blocked');
    expect(side.noticesWith(item, 'Rejected too often', 'fourth reason', `orch retry ${task.id}`)).toHaveLength(1);
    await side.retry(item);
    await side.tick();
    await asked('the request after the retry');
    const orders = side.calls(item, 'analyst').map((call) => call.orders);
    expect(orders.slice(1).map((text) => reasons.filter((reason) => text.includes(reason)))).toEqual(
      reasons.map((reason) => [reason]),
    );
    expect((await side.row(item)).task.counters.rejections).toBe(1);
  },
);
