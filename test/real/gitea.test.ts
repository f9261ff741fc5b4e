import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommitSha, type Forge, isCommitSha, type RepoSlug } from '../../src/core/model/index.ts';
import { feedbackOn } from '../../src/core/engine/feedback.ts';
import { answerMark, keyMark } from '../../src/core/pipeline/feedback.ts';
import { createGitea } from '../../src/core/peers/gitea/gitea.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { ensureGitea } from '../../scripts/real-gitea.js';
import { type RealGitea, startRealGitea } from '../support/real-gitea.ts';
import { realPart } from '../support/real-part.ts';
import { until } from '../support/until.ts';

const built = await ensureGitea();
const missing = 'missing' in built ? built.missing : null;

realPart('a real Gitea through the adapter', missing, () => {
  let server: RealGitea;
  let bot: RealGitea['users']['bot'];
  let gitea: Forge;
  let repo: RepoSlug;
  let count = 0;

  beforeAll(async () => {
    const started = await startRealGitea();
    if ('missing' in started) throw new Error(started.missing);
    server = started;
    bot = server.users.bot;
    gitea = createGitea({
      url: server.url,
      token: () => bot.token,
      reviewerToken: () => server.users.reviewer.token,
      log: silentLog,
    });
    repo = (await server.createRepo('shop', { 'README.md': '# Shop\n', 'src/totals.txt': 'one\n' })).slug;
  });
  afterAll(() => server.stop());

  /** A branch with one new file, pushed, and its pull request, once the server has checked that it merges. */
  async function openPull(slug = repo, files?: Record<string, string>) {
    count += 1;
    const head = `feature/ET-${String(count).padStart(3, '0')}-totals`;
    const sha = await server.push(slug, {
      branch: head,
      files: files ?? { [`src/file-${count}.txt`]: 'new\n' },
      user: bot,
    });
    const wanted = { title: `Totals ${count}`, body: 'from **orch**', head, base: 'main', labels: [], look: true };
    return { head, sha, wanted, pr: await gitea.openPull(slug, wanted) };
  }

  const mergeOf = (number: number, head: CommitSha) =>
    ({ number, head, style: 'merge', title: `Merge ET-${number}`, message: `orch-merge: marker-${number}` }) as const;

  /** A refusal during the server's own check says nothing yet: asked again until it gives its real answer. */
  async function mergeAnswer(slug: RepoSlug, number: number, head: CommitSha) {
    let answer = await gitea.merge(slug, mergeOf(number, head));
    await until(
      'an answer that is not about the check',
      async () => {
        if (!/try again later/i.test(answer.said)) return true;
        answer = await gitea.merge(slug, mergeOf(number, head));
        return false;
      },
      30_000,
      500,
    );
    return answer;
  }

  it('says who we are, and what the repository allows', async () => {
    expect(await gitea.me()).toEqual({ login: 'orch-bot' });
    expect(await gitea.version()).toMatch(/^1\.\d+/);
    expect(gitea.hasReviewer()).toBe(true);
    expect(await gitea.repo(repo)).toMatchObject({
      slug: 'acme/shop',
      defaultBranch: 'main',
      empty: false,
      archived: false,
      mirror: false,
      isSha256: false,
      canPush: true,
    });
    expect((await gitea.repo(repo)).mergeStyles).toEqual(expect.arrayContaining(['merge', 'squash']));
  });

  it('says what cannot be seen', async () => {
    await expect(gitea.repo('acme/none' as RepoSlug)).rejects.toMatchObject({
      code: 'gitea_not_found',
      exit: 'notFound',
    });
    expect(await gitea.pull(repo, 9999)).toBeNull();
    expect(await gitea.protection(repo, 'no-such-branch')).toBeNull();
    const stranger = createGitea({ url: server.url, token: () => '0'.repeat(40), reviewerToken: null, log: silentLog });
    await expect(stranger.me()).rejects.toMatchObject({ code: 'gitea_token_refused', exit: 'authentication' });
    const nobody = createGitea({
      url: 'http://127.0.0.1:1',
      token: () => bot.token,
      reviewerToken: null,
      log: silentLog,
    });
    await expect(nobody.me()).rejects.toMatchObject({ code: 'gitea_unreachable', retry: 'later' });
  });

  it('a renamed repository keeps its id and is found by its former name; one made again is another', async () => {
    const { slug } = await server.createRepo('moving', { 'README.md': '# Moving\n' });
    const { id } = await gitea.repo(slug);
    expect((await server.api('PATCH', `/repos/${slug}`, { name: 'moved' })).status).toBe(200);
    expect(await gitea.findRepo(slug)).toMatchObject({ id, slug: 'acme/moved' });
    await expect(gitea.repo(slug)).rejects.toMatchObject({ code: 'gitea_refused' });
    await server.createRepo('moving', { 'README.md': '# Another\n' });
    expect((await gitea.repo(slug)).id).not.toBe(id);
    expect(await gitea.findRepo('acme/nowhere' as RepoSlug)).toBeNull();
  });

  it('opens a pull request once, and adopts it the second time', async () => {
    const { head, sha, wanted, pr } = await openPull();
    expect(pr).toMatchObject({
      state: 'open',
      merged: false,
      headBranch: head,
      headSha: sha,
      baseBranch: 'main',
      author: 'orch-bot',
      sameRepo: true,
    });
    expect(await gitea.openPull(repo, wanted)).toMatchObject({ number: pr.number });
    expect(await gitea.openPull(repo, { ...wanted, look: false })).toMatchObject({ number: pr.number });
    expect((await gitea.pulls(repo, null)).filter((other) => other.headBranch === head)).toHaveLength(1);
    expect(await gitea.pull(repo, pr.number)).toMatchObject({ number: pr.number, title: wanted.title });
  });

  it('lists pull requests down to a time', async () => {
    const { pr } = await openPull();
    const all = await gitea.pulls(repo, null);
    expect(all[0]?.number).toBe(pr.number);
    expect(await gitea.pulls(repo, pr.updatedAt + 60_000)).toEqual([]);
    expect((await gitea.pulls(repo, pr.updatedAt)).map((other) => other.number)).toContain(pr.number);
  });

  it('reads statuses: none, newest of each context, more than a page', async () => {
    const { sha } = await openPull();
    expect(await gitea.statuses(repo, sha)).toEqual([]);
    await server.setStatus(repo, sha, { context: 'ci/test', state: 'pending', target_url: 'http://127.0.0.1/1' });
    await server.setStatus(repo, sha, { context: 'ci/test', state: 'failure', target_url: 'http://127.0.0.1/2' });
    for (let n = 0; n < 55; n++) await server.setStatus(repo, sha, { context: `ci/part-${n}`, state: 'success' });
    const rows = await gitea.statuses(repo, sha);
    expect(rows).toHaveLength(56);
    expect(rows.find((row) => row.context === 'ci/test')).toMatchObject({
      state: 'failed',
      url: 'http://127.0.0.1/2',
    });
  });

  it('posts the second account’s review once; the author may not approve', async () => {
    const { sha, pr } = await openPull();
    const review = { head: sha, vote: 'approved', body: 'orch: approved' } as const;
    await gitea.postReview(repo, pr.number, review);
    await gitea.postReview(repo, pr.number, review);
    expect(await gitea.reviews(repo, pr.number)).toMatchObject([
      { user: 'orch-reviewer', state: 'approved', commit: sha, dismissed: false, body: 'orch: approved' },
    ]);
    await gitea.postReview(repo, pr.number, { head: sha, vote: 'changes_requested', body: 'totals are wrong' });
    expect((await gitea.reviews(repo, pr.number)).map((row) => row.state)).toEqual(['approved', 'changes_requested']);
    const alone = createGitea({ url: server.url, token: () => bot.token, reviewerToken: null, log: silentLog });
    await expect(alone.postReview(repo, pr.number, review)).rejects.toMatchObject({
      code: 'gitea_refused',
      message: expect.stringContaining('approve your own pull is not allowed') as unknown,
    });
  });

  it('reads every review when there are more than a page', async () => {
    const { sha, pr } = await openPull();
    for (let n = 0; n < 52; n++) {
      await server.api(
        'POST',
        `/repos/${repo}/pulls/${pr.number}/reviews`,
        { event: 'COMMENT', body: `note ${n}`, commit_id: sha },
        server.users.lead.token,
      );
    }
    await gitea.postReview(repo, pr.number, { head: sha, vote: 'approved', body: 'last' });
    const rows = await gitea.reviews(repo, pr.number);
    expect(rows).toHaveLength(53);
    expect(rows.at(-1)).toMatchObject({ state: 'approved', body: 'last' });
  });

  it('reads remarks at lines, comments and who may write, and answers in the threads once', async () => {
    const { sha, pr, head } = await openPull(repo, { 'src/answers.txt': 'one\ntwo\nthree\n' });
    const { lead } = server.users;
    const on = `/repos/${repo}/pulls/${pr.number}`;
    const posted = await server.api<{ id: number }>(
      'POST',
      `${on}/reviews`,
      {
        event: 'REQUEST_CHANGES',
        body: 'see the lines',
        commit_id: sha,
        comments: [
          { path: 'src/answers.txt', body: 'why two?', new_position: 2 },
          { path: 'src/answers.txt', body: 'why three?', new_position: 3 },
          { path: 'README.md', body: 'an old line', old_position: 1 },
        ],
      },
      lead.token,
    );
    const comment = await server.api<{ id: number }>(
      'POST',
      `/repos/${repo}/issues/${pr.number}/comments`,
      { body: `my token is ${bot.token}` },
      lead.token,
    );
    const [row] = (await gitea.reviews(repo, pr.number)).slice(-1);
    expect(row).toMatchObject({ id: posted.body.id, state: 'changes_requested', counts: true, remarks: 3 });
    const ofReview = { id: posted.body.id, commit: sha };
    const remarks = await gitea.remarks(repo, pr.number, ofReview);
    expect(remarks.map(({ path, line, old, text, resolved }) => ({ path, line, old, text, resolved }))).toEqual([
      { path: 'src/answers.txt', line: 2, old: false, text: 'why two?', resolved: false },
      { path: 'src/answers.txt', line: 3, old: false, text: 'why three?', resolved: false },
      { path: 'README.md', line: 1, old: true, text: 'an old line', resolved: false },
    ]);
    expect(remarks[0]?.code).toContain('+two');
    const resolved = await server.api(
      'POST',
      `/repos/${repo}/pulls/comments/${remarks[1]?.id}/resolve`,
      undefined,
      lead.token,
    );
    expect(resolved.status).toBe(204);
    expect((await gitea.remarks(repo, pr.number, ofReview)).map((one) => one.resolved)).toEqual([false, true, false]);
    const wide = createGitea({
      url: server.url,
      token: () => lead.token,
      secrets: () => [bot.token],
      reviewerToken: null,
      log: silentLog,
    });
    expect(await wide.comments(repo, pr.number)).toEqual([
      { id: comment.body.id, user: lead.name, text: 'my token is [redacted]' },
    ]);
    const writers = await gitea.writers(repo);
    expect(writers).toEqual(expect.arrayContaining([lead.name, bot.name]));
    const stranger = await server.createUser('stranger1');
    expect(writers).not.toContain(stranger.name);

    // The code has moved on: the line is not what it was, one file is gone.
    const later = await server.push(repo, { branch: head, files: { 'src/answers.txt': 'one\n' }, user: bot });
    const answer = {
      key: 'db:ET-001/4/answers',
      head: later,
      text: `Answers\n\n${keyMark('db:ET-001/4/answers')}`,
      lines: [
        { path: 'src/answers.txt', line: 2, old: false, commit: sha, text: `gone ${answerMark(`t${remarks[0]?.id}`)}` },
        { path: 'README.md', line: 1, old: true, commit: sha, text: `kept ${answerMark(`t${remarks[2]?.id}`)}` },
      ],
      plain: false,
    };
    // A try that was cut off: a draft with the first of the remarks.
    const draft = await server.api(
      'POST',
      `${on}/reviews`,
      {
        body: 'draft',
        commit_id: sha,
        comments: [{ path: 'src/answers.txt', new_position: 2, body: answer.lines[0]?.text }],
      },
      bot.token,
    );
    expect(draft.body).toMatchObject({ state: 'PENDING' });
    await gitea.answer(repo, pr.number, answer);
    await gitea.answer(repo, pr.number, answer);
    const own = (await gitea.reviews(repo, pr.number)).filter(({ user }) => user === bot.name);
    expect(own).toMatchObject([{ state: 'commented', commit: sha, remarks: 2 }]);
    const shown = await gitea.remarks(repo, pr.number, own[0] ?? ofReview);
    expect(shown.map(({ line, old, text }) => [line, old, text])).toEqual(
      answer.lines.map(({ line, old, text }) => [line, old, text]),
    );
    const said = await feedbackOn(repo, pr.number, gitea);
    expect(said.threads.map(({ id, answered, said: words }) => [id, answered, words.length])).toEqual([
      [`t${remarks[0]?.id}`, true, 2],
      [`t${remarks[2]?.id}`, true, 2],
    ]);
    expect(said.words.map(({ from, user }) => [from, user])).toEqual([['review', lead.name]]);
    expect(said.missing.join()).toContain('read:issue');
    // Somebody's own draft under the account is neither sent nor removed.
    await server.api(
      'POST',
      `${on}/reviews`,
      { body: 'draft', comments: [{ path: 'README.md', new_position: 1, body: 'mine' }] },
      bot.token,
    );
    await expect(gitea.answer(repo, pr.number, { ...answer, key: 'other' })).rejects.toMatchObject({
      code: 'gitea_refused',
    });
  });

  it('merges the head it names, and only that: a wrong head is 409', async () => {
    const { sha, pr, head } = await openPull();
    const other = await server.push(repo, { branch: head, files: { 'src/late.txt': 'late\n' }, user: bot });
    const refused = await mergeAnswer(repo, pr.number, sha);
    expect(refused).toMatchObject({
      kind: 'head_moved',
      said: expect.stringMatching(/409: .*head out of date/i) as unknown,
    });
    expect(await gitea.pull(repo, pr.number)).toMatchObject({ state: 'open', merged: false, headSha: other });
    expect(await mergeAnswer(repo, pr.number, other)).toEqual({ kind: 'asked', said: 'HTTP 200: ' });
    const merged = await gitea.pull(repo, pr.number);
    expect(merged).toMatchObject({ state: 'closed', merged: true, headSha: other, headBranch: head });
    expect(isCommitSha(merged?.mergedSha ?? '')).toBe(true);
    const commit = await server.api<{ commit: { message: string } }>(
      'GET',
      `/repos/${repo}/git/commits/${merged?.mergedSha}`,
    );
    expect(commit.body.commit.message).toContain(`orch-merge: marker-${pr.number}`);
    expect((await mergeAnswer(repo, pr.number, other)).said).toMatch(/^HTTP [45]/);
  });

  it('keeps the branch name of a merged pull request whose branch is gone', async () => {
    const { sha, pr, head } = await openPull();
    expect((await mergeAnswer(repo, pr.number, sha)).kind).toBe('asked');
    expect((await server.api('DELETE', `/repos/${repo}/branches/${head}`)).status).toBe(204);
    expect(await gitea.pull(repo, pr.number)).toMatchObject({ merged: true, headBranch: head, headSha: sha });
  });

  it('answers 405 for a conflict, for as long as it stands', async () => {
    const { sha, pr } = await openPull(repo, { 'src/totals.txt': 'ours\n' });
    await server.push(repo, { branch: 'main', files: { 'src/totals.txt': 'theirs\n' } });
    await until('the server to see the conflict', async () => {
      const { body } = await server.api<{ mergeable: boolean }>('GET', `/repos/${repo}/pulls/${pr.number}`);
      return !body.mergeable;
    });
    expect(await gitea.merge(repo, mergeOf(pr.number, sha))).toEqual({
      kind: 'not_yet',
      said: 'HTTP 405: Please try again later',
    });
    expect(await gitea.pull(repo, pr.number)).toMatchObject({ state: 'open', merged: false });
  });

  it('refuses what the branch protection does not allow, naming the rule, and says what the rule is', async () => {
    const guarded = (await server.createRepo('guarded', { 'README.md': '# Guarded\n' })).slug;
    expect(await gitea.protection(guarded, 'main')).toMatchObject({ protected: false, requiredApprovals: 0 });
    await server.protect(guarded, {
      required_approvals: 1,
      enable_status_check: true,
      status_check_contexts: ['ci/test'],
    });
    expect(await gitea.protection(guarded, 'main')).toEqual({
      protected: true,
      requiredApprovals: 1,
      statusCheck: true,
      contexts: ['ci/test'],
      canPush: true,
      canMerge: true,
    });
    const { sha, pr } = await openPull(guarded);
    const unapproved = await mergeAnswer(guarded, pr.number, sha);
    expect(unapproved).toMatchObject({
      kind: 'refused',
      said: expect.stringMatching(/405: .*(not all required status checks|enough approvals)/i) as unknown,
    });
    await server.setStatus(guarded, sha, { context: 'ci/test', state: 'success' });
    expect(await mergeAnswer(guarded, pr.number, sha)).toMatchObject({
      kind: 'refused',
      said: expect.stringMatching(/405: .*enough approvals/i) as unknown,
    });
    await gitea.postReview(guarded, pr.number, { head: sha, vote: 'approved', body: 'good' });
    expect(await mergeAnswer(guarded, pr.number, sha)).toEqual({ kind: 'asked', said: 'HTTP 200: ' });
  });
});
