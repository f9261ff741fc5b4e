import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { builtInStages, roleNames as roles } from '../../src/core/pipeline/stages/index.ts';
import { frontMatter } from '../../src/core/pipeline/front-matter.ts';
import { packageRoot } from '../../src/core/platform/files.ts';
import { launcherBench } from '../support/launcher-bench.ts';

const promptOf = (role: string): string => readFileSync(path.join(packageRoot(), 'prompts', `${role}.md`), 'utf8');
const example = (role: string): string => /```markdown\n([^]*?)```/.exec(promptOf(role))?.[1] ?? '';

it.each(roles)('the prompt of the %s says where the orders are, how to end, and what not to touch', (role) => {
  const text = promptOf(role);
  for (const part of ['.orch/task.md', '.orch/result.json', '"status": "success"', 'Do not push', 'between fences']) {
    expect(text).toContain(part);
  }
});

it('names every file that a gate reads to the role that writes it', () => {
  for (const stage of builtInStages) {
    const files = [
      ...stage
        .products('')
        .join(' ')
        .matchAll(/\d{2}-[\w-]+(?:\.md|\.yaml|\/)/g),
    ].map(([file]) => file);
    for (const file of [...files, ...stage.reads]) expect(promptOf(stage.role.name)).toContain(file);
  }
  const named = builtInStages.flatMap((stage) => stage.products('')).join(' ');
  for (const file of [
    '01-brd.md',
    '04-test-plan.yaml',
    '01-questions.md',
    '06-adr/',
    '12-review.md',
    '13-test-report.md',
  ])
    expect(named).toContain(file);
  expect(promptOf('deployer')).toContain('"rolled_back"');
  expect(promptOf('developer')).toContain('nothing_to_do');
});

it('shows examples that the gates can read', () => {
  expect(frontMatter(example('reviewer')).keys).toMatchObject({
    verdict: 'REQUEST_CHANGES',
    commit: expect.stringMatching(/^[0-9a-f]{40}$/) as unknown,
  });
  expect(frontMatter(example('tester')).keys).toMatchObject({
    result: 'FAIL',
    commit: expect.stringMatching(/^[0-9a-f]{40}$/) as unknown,
  });
});

it('uses them where a project has none, in a private file', async () => {
  const bench = launcherBench();
  const { folder } = await bench.launcher({}).prepare(bench.spec({ role: 'tester', prompt: null }));
  expect(readFileSync(path.join(folder, 'system-prompt.md'), 'utf8')).toBe(promptOf('tester'));
  expect(readFileSync(path.join(folder, 'run.json'), 'utf8')).not.toContain('You find out by running');
  expect(existsSync(path.join(bench.workspace, '.orch', 'task.md'))).toBe(true);
  bench.remove();
});
