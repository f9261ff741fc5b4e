import { describe, expect, it } from 'vitest';
import type { ProjectId } from '../../../src/core/model/index.ts';
import { comment, commitNow, newJob, present, projectId, stateEffect, task, taskId, itemMirror } from '../bench.ts';
import type { Bench } from '../bench.ts';

const others = ['project-2' as ProjectId];

/** Who does not know a project leaves its tasks exactly as they are; what sleeps although it should not is found. */
export function projectsSuite(get: () => Bench): void {
  describe('projects that a process knows', () => {
    const withTask = async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      return store;
    };
    const rest = async (): Promise<void> => {
      const { store } = get();
      await store.rest(taskId, present(await store.load(taskId)).meta.wakeSeq, null);
    };

    it('are the only ones whose tasks are due, whose jobs are claimed and whose effects are sent', async () => {
      const store = await withTask();
      expect(await store.dueTasks(5, others)).toEqual([]);
      expect(await store.dueTasks(5, [])).toEqual([]);
      expect(await store.dueTasks(5, [projectId, ...others])).toEqual([taskId]);

      const chat = { ...comment('chat'), lane: 'chat', body: { kind: 'chat.message' } as never };
      await commitNow(store, { jobs: [newJob()], effects: [comment('c1'), chat] });
      const request = { host: 'h', owner: 'h|b|1|1', leaseMs: 1000, maxConcurrency: 5 };
      expect(await store.hasDueJob(others)).toBe(false);
      expect(await store.claim({ ...request, projects: others })).toBeNull();
      expect(await store.hasDueJob([projectId])).toBe(true);
      expect(present(await store.claim({ ...request, projects: [projectId] })).job.taskId).toBe(taskId);

      expect(present(await store.claimEffect('w', 1000, others)).effect.key).toBe('chat');
      expect(await store.claimEffect('w', 1000, others)).toBeNull();
      expect(present(await store.claimEffect('w', 1000, [projectId])).effect.key).toBe('c1');
    });

    it('a task that nothing wakes is found, and one that waits for something is not', async () => {
      const store = await withTask();
      expect(await store.asleep()).toEqual([]);
      await rest();
      expect(await store.asleep()).toEqual([taskId]);
      await store.wake(taskId);
      expect(await store.asleep()).toEqual([]);
      await rest();
      await store.post({ taskId, sourceKey: 'm1', body: { kind: 'command', name: 'pause', by: 'op' } });
      await rest();
      // Its message waits for ever.
      expect(await store.asleep()).toEqual([taskId]);
      await store.wake(taskId);
      const message = present(await store.load(taskId)).message;
      await commitNow(store, { handled: present(message).id, effects: [stateEffect('s1')] });
      await rest();
      expect(await store.asleep()).toEqual([]);
    });

    it('a project that is dropped ends its tasks and all that was to be done for them', async () => {
      const store = await withTask();
      await commitNow(store, { jobs: [newJob()], effects: [comment('c1')] });
      await store.post({ taskId, sourceKey: 'm1', body: { kind: 'command', name: 'pause', by: 'op' } });
      expect(await store.dropProject('project-2' as ProjectId, 'op')).toEqual([]);
      expect(await store.dropProject(projectId, 'op')).toEqual([taskId]);
      const row = present(await store.task(taskId));
      expect(row).toMatchObject({
        task: { stage: 'cancelled', hold: null },
        liveJob: null,
        pendingEffects: 0,
        queuedMessages: 0,
      });
      expect(await store.dueTasks(5)).toEqual([]);
      const [decision] = await store.decisions({ taskId, limit: 1 });
      expect(decision).toMatchObject({
        version: row.meta.version,
        toStage: 'cancelled',
        why: { rule: 'command.project-removed' },
      });
      expect(await store.dropProject(projectId, 'op')).toEqual([]);
    });
  });
}
