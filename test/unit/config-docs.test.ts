import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { configKeys } from '../../src/core/config/keys.ts';
import { settingsJsonSchema, settingsSchema } from '../../src/core/config/schema.ts';
import { jsonErrorOffset } from '../../src/core/config/json-position.ts';
import { generatedFiles } from '../../scripts/docs/generated.ts';
import { packageRoot } from '../../src/core/platform/files.ts';

describe('generated files', () => {
  it.each(generatedFiles)('$file is up to date (npm run docs)', async ({ file, content }) => {
    const target = path.join(packageRoot(), file);
    expect(existsSync(target)).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe(await content());
  });
});

describe('keys', () => {
  const keys = configKeys(settingsJsonSchema());

  it('all have a description and a variable of their own', () => {
    expect(keys.filter((key) => key.description === '')).toEqual([]);
    const variables = keys.flatMap((key) => key.variable ?? []);
    expect(new Set(variables).size).toBe(variables.length);
    expect(variables).toContain('ORCH_WORKER_MAX_CONCURRENCY');
    expect(variables).toContain('ORCH_AGENT_ROLES_TESTER_TIMEOUT_MINUTES');
    // Lists and records of the team's own are given as a whole.
    expect(variables).toEqual(expect.arrayContaining(['ORCH_PROJECTS_JSON', 'ORCH_STAGES_JSON']));
    const single = keys.filter((key) => !key.path.startsWith('projects[]') && !key.path.startsWith('stages.<name>'));
    expect(single.filter((key) => key.variable === null)).toEqual([]);
  });

  it('have defaults that the schema itself accepts', () => {
    expect(settingsSchema.safeParse(settingsSchema.parse({})).success).toBe(true);
  });
});

describe('position of a JSON mistake', () => {
  it.each([
    ['{}', null],
    [' {"a": [1, -2.5e3, true, null, "\\u00e9"], "b": {}} ', null],
    ['{"a": 1,}', 8],
    ['{"a": 1 "b": 2}', 8],
    ['[1, 2', 5],
    ['{"a": 01}', 7],
    ['{} x', 3],
    ['{"a": "x', 6],
    ['{a: 1}', 1],
  ])('%s → %s', (text, offset) => {
    expect(jsonErrorOffset(text)).toBe(offset);
    const valid = (() => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    })();
    expect(valid).toBe(offset === null);
  });
});
