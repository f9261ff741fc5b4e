import { afterEach, expect, test } from 'vitest';
import { startCoding, type Coding } from '../support/coding.ts';

let coding: Coding | null = null;
afterEach(async () => {
  await coding?.line.close();
  coding = null;
});

// Some ten agents run one after the other; a busy machine takes its time.
const timeout = 240_000;
const reviewerToken = 'a'.repeat(40);

/** The second account's token is known to orch by environment, and to the server. */
function knowReviewer({ line }: Coding): void {
  line.world.accounts.reviewer.tokens.push({ value: reviewerToken, scopes: ['all'] });
}

test(
  'review by verdict and by people: changes, own account, old votes, dismissal, request, pages, pushes',
  { timeout },
  async () => {
    coding = await startCoding({
      stages: ['development', 'review', 'testing'],
      project: { gates: { development: 'ci-green', review: ['reviewer-verdict', 'pr-approved'] } },
      env: { ORCH_GITEA_REVIEWER_TOKEN: reviewerToken },
      ci: () => 'success',
      roles: { reviewer: [{ act: 'garbled' }, { act: 'request-changes' }] },
    });
    knowReviewer(coding);
    const { line, id, held, idle, calls, head } = coding;
    const { gitea, repo, accounts } = line.world;
    const person = gitea.addUser({ login: 'senior' });
    gitea.grant(repo, person, 'write');

    // Prose and a table are no verdict: asked once more; then changes, which also stand at the pull request.
    await held('pr_review');
    expect(calls('reviewer')[1]?.orders).toContain('12-review.md');
    expect(calls('developer')[1]?.orders).toContain('say what the function returns');
    const pull = await coding.pull();
    const mirrored = pull.reviews.filter((review) => review.user === accounts.reviewer.login);
    expect(mirrored.map((review) => review.state)).toEqual(['REQUEST_CHANGES', 'APPROVED']);
    expect(mirrored[1]?.commit).toBe(await head());

    // orch's second account is no person; a person asks for changes, and that vote is about the code of then.
    await idle(3);
    expect((await line.task(id)).task.stage).toBe('review');
    const before = await head();
    gitea.reviewAs(person, repo, pull, 'REQUEST_CHANGES', 'Name it total.');
    await coding.reach('the second rerun', (row) => row.task.counters.developerReruns === 2);
    await held('pr_review');
    expect(calls('developer')).toHaveLength(3);
    expect(calls('developer')[2]?.orders).toContain('Name it total.');

    // None of these is an approval of this code: of older code, dismissed, taken back by a new request.
    gitea.reviewAs(person, repo, pull, 'APPROVED', '', before);
    await idle(2);
    gitea.reviewAs(person, repo, pull, 'APPROVED').dismissed = true;
    await idle(2);
    gitea.reviewAs(person, repo, pull, 'APPROVED');
    gitea.requestReviewAs(repo, pull, person);
    await idle(2);
    gitea.reviewAs(accounts.bot, repo, pull, 'APPROVED');
    await idle(2);
    expect((await line.task(id)).task).toMatchObject({ stage: 'review', hold: { cause: 'pr_review' } });

    // Approved, and other code is pushed before orch looks: the approval is of other code, the verdict, too.
    gitea.reviewAs(person, repo, pull, 'APPROVED');
    await gitea.pushFile(repo, pull.head, { 'src/more.js': 'export {};\n' }, 'more', person);
    await line.tick();
    await coding.reach('the reviewer again', () => calls('reviewer').length === 5);
    await held('pr_review');

    // Sixty remarks fill the first pages; then approved, and a documents-only push keeps it.
    for (let n = 0; n < 60; n += 1) gitea.reviewAs(person, repo, pull, 'COMMENT', `remark ${n}`);
    gitea.reviewAs(person, repo, pull, 'APPROVED');
    await gitea.pushFile(repo, pull.head, { [`docs/work-items/${id}/notes.md`]: 'x\n' }, 'notes', person);
    await coding.reach('the end', (row) => row.task.stage === 'done');
    expect((await line.task(id)).task.counters.developerReruns).toBe(2);
  },
);

test('review by a person alone posts no verdict of its own', { timeout }, async () => {
  coding = await startCoding({
    stages: ['development', 'review', 'deploy'],
    project: { gates: { development: 'ci-green', review: ['pr-approved'] } },
    env: { ORCH_GITEA_REVIEWER_TOKEN: reviewerToken },
    ci: () => 'success',
  });
  knowReviewer(coding);
  const { line, held } = coding;
  const { gitea, repo } = line.world;
  const person = gitea.addUser({ login: 'senior' });
  gitea.grant(repo, person, 'write');
  await held('pr_review');
  const pull = await coding.pull();
  // Two votes within one second of the server's clock: the later one is seen, too.
  gitea.reviewAs(person, repo, pull, 'COMMENT', 'first a look');
  const stamp = pull.updatedAt;
  await line.tick();
  gitea.reviewAs(person, repo, pull, 'APPROVED');
  pull.updatedAt = stamp;
  await coding.reach('the end', (row) => row.task.stage === 'done');
  expect(pull.reviews.map((review) => review.user)).toEqual(['senior', 'senior']);
});

test(
  'no verdict twice is a hold; a verdict about other code; an approval dismissed by documents is posted again',
  { timeout },
  async () => {
    const other = '0'.repeat(40);
    coding = await startCoding({
      stages: ['development', 'review', 'testing', 'deploy'],
      env: { ORCH_GITEA_REVIEWER_TOKEN: reviewerToken },
      ci: () => 'success',
      roles: {
        reviewer: [
          { act: 'nothing' },
          { files: { '{{docs}}/12-review.md': `---\nverdict: approved\ncommit: ${other}\n---\n` } },
          { files: { '{{docs}}/12-review.md': '---\nverdict: approved\n---\nIt is good.\n' } },
        ],
      },
    });
    knowReviewer(coding);
    const { line, held, idle, calls, retry } = coding;
    const { gitea, repo, accounts } = line.world;
    gitea.protect(repo, { rule: 'main', requiredApprovals: 1, dismissStaleApprovals: true });
    const { task } = await held('no_verdict');
    expect(task.hold).toMatchObject({ blocking: true, command: `orch retry ${task.id}` });
    expect(task.hold?.text).toContain(other);
    await idle();
    expect(calls('reviewer')).toHaveLength(2);
    await retry();
    await coding.reach('the end', (row) => row.task.stage === 'done');
    const pull = await coding.pull();
    const posted = pull.reviews.filter((review) => review.user === accounts.reviewer.login);
    expect(posted.map((review) => [review.state, review.dismissed])).toEqual([
      ['APPROVED', true],
      ['APPROVED', false],
    ]);
    expect(pull.merged?.by).toBe(accounts.bot.login);
  },
);
