import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { busyMs, figure, median, pairedRatio, quantile } from '../bench/numbers.ts';
import { reportText, tableText } from '../bench/report.ts';
import { commitsIn, emptyLog } from '../bench/wal.ts';

test('medians and quantiles take the samples in order, however they came', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
  expect(quantile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 0.5)).toBe(5);
  expect(quantile([1, 2, 100], 0.99)).toBe(100);
  expect(quantile([7], 0)).toBe(7);
});

test('a ratio compares what ran in the same round', () => {
  // The machine was busy in the second round: both sides took ten times as long.
  expect(pairedRatio([30, 3, 33], [10, 1, 11])).toBe(3);
  expect(pairedRatio([1, 2], [])).toBeNaN();
});

test('figures have three digits and gaps at the thousands', () => {
  expect([12_345_678, 1000, 999.6, 17.26, 0.04821, Number.NaN].map(figure)).toEqual([
    '12 345 678',
    '1 000',
    '1000',
    '17.3',
    '0.0482',
    '–',
  ]);
});

test('time under way is counted once where calls overlap, and only within the window', () => {
  const calls = [
    { from: 40, to: 60 },
    { from: 0, to: 20 },
    { from: 10, to: 30 },
    { from: 12, to: 14 },
    { from: 90, to: 200 },
  ];
  expect(busyMs(calls, 5, 100)).toBe(25 + 20 + 10);
  expect(busyMs([], 0, 10)).toBe(0);
});

test('the log of SQLite tells how many transactions were committed since it was emptied', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-wal-'));
  const db = new Database(path.join(folder, 'a.db'));
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE t (x TEXT)');
  emptyLog(db);
  expect(commitsIn(db)).toBe(0);
  // One transaction of many pages, one of a single row.
  db.exec(`INSERT INTO t WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 2000)
    SELECT hex(randomblob(100)) FROM s`);
  db.exec(`INSERT INTO t VALUES ('one')`);
  expect(commitsIn(db)).toBe(2);
  emptyLog(db);
  db.exec('DELETE FROM t');
  expect(commitsIn(db)).toBe(1);
  db.close();
  rmSync(folder, { recursive: true });
});

test('the report says of every aim whether it was met, and why not', async () => {
  const aim = { what: 'A rate', aim: '≥ 2×', measured: '1×', missedBy: '2× less', why: 'Because.' };
  const section = {
    title: 'Part',
    text: [],
    tables: [],
    aims: [
      { ...aim, met: false },
      { ...aim, what: 'Other', met: true },
      { ...aim, what: 'Third', met: null },
    ],
  };
  const startedAt = new Date(0).toISOString();
  const text = await reportText([
    { part: 'part', form: 'quick', startedAt, load: [1, 2, 3], seconds: 90, machine: 'a machine', section },
  ]);
  expect(text).toMatch(/\| A rate +\| ≥ 2× \| 1× +\| missed: 2× less \|/);
  expect(text).toContain('- A rate. Because.');
  expect(text).not.toContain('Other. Because.');
  expect(text).toMatch(/\| Other .* met +\|/);
  expect(text).toMatch(/\| Third .* not measured +\|/);
  expect(text).toContain('1970-01-01 00:00 UTC, 2 minutes, load at its start 1.0, 2.0, 3.0');
  expect(text).toContain('on a machine.');
  expect(tableText({ head: ['', 'n'], rows: [['a|b', '1 000']] })).toBe('|  | n |\n| --- | --: |\n| a\\|b | 1 000 |');
});
