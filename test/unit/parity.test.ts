import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/core/platform/files.ts';

const page = readFileSync(path.join(packageRoot(), 'docs/parity.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| --'))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()))
  .filter(([first]) => first !== 'behaviour' && first !== 'case');

it('names a test, or why there is none, for every case', () => {
  expect(rows.length).toBeGreaterThan(100);
  expect(rows.filter((cells) => cells.length !== 2 || (cells[1] ?? '').length < 15)).toEqual([]);
});

it('names tests that exist', () => {
  const wrong: string[] = [];
  for (const [, now = ''] of rows) {
    for (const part of now.split(/(?=`[\w/-]+\.ts`)/)) {
      const file = /^`([\w/-]+\.ts)`/.exec(part)?.[1];
      if (file === undefined) continue;
      const source = path.join(packageRoot(), 'test', file);
      const text = existsSync(source) ? readFileSync(source, 'utf8').replaceAll(String.raw`\'`, "'") : '';
      if (text === '') wrong.push(`${file} is not there`);
      for (const [, title = ''] of part.matchAll(/"([^"]+)"/g))
        if (!text.includes(title)) wrong.push(`${file}: ${title}`);
    }
  }
  expect(wrong).toEqual([]);
});
