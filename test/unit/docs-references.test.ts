import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/core/platform/files.ts';

const root = packageRoot();
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const files = execFileSync('git', ['ls-files', 'src', 'test', 'scripts', 'docs', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(ts|js|sh|md)$/.test(file) && existsSync(path.join(root, file)));

it('every section of the specification that a comment cites is there', () => {
  const sections = new Set([...read('docs/specification.md').matchAll(/^#+ (\d+(?:\.\d+)?)\.? /gm)].map(([, n]) => n));
  const cited = files.flatMap((file) =>
    [...read(file).matchAll(/\bspec (\d+(?:\.\d+)?)/g)].map(([, section]) => ({ file, section })),
  );
  expect(cited.length).toBeGreaterThan(100);
  expect(cited.filter(({ section }) => !sections.has(section))).toEqual([]);
});

it('every file that a page links to is there', () => {
  const pages = files.filter((file) => file.endsWith('.md') && !file.startsWith('test/'));
  const dead = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(path.join(root, path.dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(dead).toEqual([]);
});
