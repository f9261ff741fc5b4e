import { describe, expect, it } from 'vitest';
import {
  comment,
  decided,
  evidence,
  file,
  fourDocuments,
  mustDecide,
  noon,
  noticeOf,
  noticesOf,
  progress,
  settled,
  snapshot,
} from '../support/snapshots.ts';

const four = fourDocuments.map((path) => file(path));
const hashes = Object.fromEntries(four.map((artifact) => [artifact.path, artifact.blob]));
const changed = [...four.slice(0, 2), file('03-acceptance-criteria.md', 'anything goes'), ...four.slice(3)];
const approvedBefore = progress({ approvedDocuments: hashes });

describe('documents that a person approved, and a push changed later', () => {
  it('note what was approved when the analysis passes', () => {
    const visit = { approved: { by: 'Lead', commentId: 'c-1', artifacts: hashes } };
    const passed = mustDecide(snapshot({ task: { stage: 'analysis' }, visit }), evidence({ files: four }));
    expect(passed.task.stage).toBe('architecture');
    expect(passed.task.progress.approvedDocuments).toEqual(hashes);
  });

  it.each(['architecture', 'development', 'review', 'testing', 'deploy'] as const)(
    'in %s another approval is asked for before the gate, and the changed documents count once they have it',
    (stage) => {
      const asked = mustDecide(snapshot({ task: { stage, progress: approvedBefore } }), evidence({ files: changed }));
      expect(asked.why.sentence).toContain('03-acceptance-criteria.md changed after the approval');
      expect(asked.task).toMatchObject({ stage, hold: { cause: 'approval', owner: 'approver' } });
      expect(noticeOf(asked, 'approval_wanted').artifacts).toEqual(fourDocuments);
      expect(asked.jobs).toEqual([]);
      const key = asked.visit?.approval?.key ?? '';
      const sent = mustDecide(
        snapshot({
          task: asked.task,
          visit: asked.visit ?? {},
          message: settled('tracker.comment', { key, ok: true, result: { id: 'c', at: noon } }),
        }),
        evidence(),
      );
      const yes = comment({ marker: { kind: 'approved' }, updatedAt: noon + 1 });
      const said = mustDecide(snapshot({ task: sent.task, visit: sent.visit ?? {}, message: yes }), evidence());
      expect(said.why.rule).toBe('comment.approved');
      const s = snapshot({ task: said.task, visit: said.visit ?? {} });
      const goes = mustDecide(s, evidence({ files: changed }));
      expect(goes.why.rule).toBe(`${stage}.documents`);
      expect(goes.task.progress.approvedDocuments).not.toEqual(hashes);
      expect(goes.task.hold).toBeNull();
    },
  );

  it('asks once, and goes on by itself when the push is taken back', () => {
    const asked = mustDecide(
      snapshot({ task: { stage: 'review', progress: approvedBefore } }),
      evidence({ files: changed }),
    );
    const waiting = snapshot({ task: asked.task, visit: asked.visit ?? {} });
    expect(decided(waiting, evidence({ files: changed })).rule).toBe('rest');
    const back = mustDecide(waiting, evidence({ files: four }));
    expect(back.why.rule).toBe('review.documents');
    expect(back.task.hold).toBeNull();
    expect(noticesOf(back)).toEqual([]);
  });

  it('a document that was deleted is a change; a task that nobody approved is not asked about', () => {
    const rule = (files: typeof four, over: object): string =>
      mustDecide(snapshot({ task: { stage: 'architecture', ...over } }), evidence({ files })).why.rule;
    expect(rule(four.slice(1), { progress: approvedBefore })).toBe('architecture.ask-approval');
    expect(rule(four.slice(1), {})).toBe('architecture.ask-again');
  });
});
