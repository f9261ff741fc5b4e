import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { htmlReport } from '../../src/commands/report/report-html.ts';
import { markdownReport } from '../../src/commands/report/report-markdown.ts';
import { metricsText } from '../../src/commands/metrics/metrics-text.ts';
import { decision, holdOn, present } from '../store/bench.ts';
import { everyState, lookedAt, type LookedAt } from '../support/looked-at.ts';

let world: LookedAt;
const hostile = '<script>alert(1)</script> | [x](javascript:y) `z`';

beforeAll(async () => {
  world = await lookedAt();
  await everyState(world);
  const id = await world.add(20, { stage: 'review', title: hostile, prNumber: 9, visit: 1 });
  const { task, meta } = present(await world.store.task(id));
  const why = { rule: 'review.verdict', sentence: hostile, cause: 'run:2', evidence: { commit: 'abc|def' } };
  await world.store.commit(id, meta.version, decision({ ...task, hold: holdOn('gate_failed') }, { why }));
});
afterAll(() => world.close());

describe('report', () => {
  it('is Markdown with stages, runs, costs and decisions', () => {
    const { stdout, status } = world.orch(['report', 'ET-012']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^# ET-012: Discount for regular customers/);
    expect(stdout).toMatch(/^\| [-\d: ]+ \| 12s \| Stage analysis \| intake \|$/m);
    expect(stdout).toMatch(
      /^\| 1 \| analyst \| 1 \| [-\d: ]+ \| 12s \| \\\$0\.42 \| 12,000 read, of them 9,000 from the cache \(75 %\), 1,800 written to it; 300 written \| success \| fine \|/m,
    );
    expect(stdout).toMatch(/^\| [-\d: ]+ \| development \| it follows \| test\.rule \| mirror \| head=a \|$/m);
  });

  it('lets nothing from outside become mark-up or a further cell', () => {
    const { stdout } = world.orch(['report', 'ET-020']);
    expect(stdout).not.toMatch(/[^\\]<script/);
    expect(stdout).toContain('[\\#9](https://git.example.org/acme/shop/pulls/9)');
    const row = present(stdout.split('\n').find((text) => text.includes('review.verdict')));
    expect(row.match(/(?<!\\)\|/g)).toHaveLength(7);
    expect(row).toContain('commit=abc\\|def');
    const paragraph = (text: string): string => markdownReport([{ kind: 'paragraph', cells: [{ text }] }]);
    expect(paragraph('# a\n- b http://x')).toBe('\\# a - b http:\\/\\/x\n');
    expect(paragraph('1. a')).toBe('1\\. a\n');
    expect(markdownReport([{ kind: 'paragraph', cells: [{ text: 'a', href: 'https://x/(b) c' }] }])).toBe(
      '[a](https://x/%28b%29%20c)\n',
    );
  });

  it('is one HTML file for its owner, without script or anything loaded', () => {
    const { status, stdout } = world.orch(['report', '--html', 'all.html']);
    expect([status, stdout]).toEqual([0, '']);
    const file = path.join(world.folder, 'all.html');
    const html = readFileSync(file, 'utf8');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(html).not.toMatch(/<script|<link|<img|src=|javascript:[^y]/i);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).toContain('<a href="https://git.example.org/acme/shop/pulls/9" rel="noreferrer">#9</a>');
    expect(html).toContain('\\x1b[31mred');
    for (const id of ['ET-012', 'ET-017', 'ET-020']) expect(html).toContain(`<h2>${id}: `);
    expect(htmlReport('t', [{ kind: 'paragraph', cells: [{ text: 'a', href: 'javascript:alert(1)' }] }])).toContain(
      '<p>a</p>',
    );
  });

  it('is one document with --json; an unwritable file and an unknown task are errors', () => {
    const all = JSON.parse(world.orch(['report', '--json']).stdout) as { tasks: Record<string, unknown>[] };
    expect(all.tasks).toHaveLength(7);
    const one = JSON.parse(world.orch(['report', 'ET-020', '--json']).stdout) as Record<string, unknown>;
    expect(one).toMatchObject({
      task: { id: 'ET-020' },
      decisions: [{ rule: 'review.verdict', evidence: { commit: 'abc|def' } }],
    });
    const refused = world.orch(['report', '--html', 'missing/y.html']);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^error: the report could not be written to .*missing\/y\.html: ENOENT/);
    expect(world.orch(['report', 'ET-404']).status).toBe(3);
  });
});

describe('metrics', () => {
  it('are Prometheus text from the database', () => {
    const { stdout, status } = world.orch(['metrics']);
    expect(status).toBe(0);
    for (const text of stdout.trim().split('\n'))
      expect(text).toMatch(
        /^(# (HELP|TYPE) orch_[a-z_]+ .+|orch_[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? [-\d.e+]+)$/,
      );
    expect(stdout).toMatch(/^orch_build_info\{version="\d+\.\d+\.\d+"\} 1$/m);
    expect(stdout).toContain('orch_tasks{stage="development"} 2\n');
    expect(stdout).toContain('orch_tasks_held{cause="developer_budget",blocking="true"} 1\n');
    expect(stdout).toContain('orch_jobs{state="running"} 1\n');
    expect(stdout).toContain('orch_job_run_cost_dollars_total{role="analyst",kind="agent",result="success"} 0.42\n');
    for (const [name, tokens] of Object.entries({ input: 1200, cache_read: 9000, cache_write: 1800, output: 300 }))
      expect(stdout).toContain(
        `orch_job_run_tokens_total{role="analyst",kind="agent",result="success",class="${name}"} ${tokens}\n`,
      );
    expect(stdout).toContain('orch_agents_paused 0\n');
    expect(stdout).toContain('orch_poller_up 0\n');
    expect(stdout).not.toContain('orch_poll_last_success_timestamp_seconds');
    const { metrics } = JSON.parse(world.orch(['metrics', '--json']).stdout) as { metrics: { name: string }[] };
    expect(metrics.map(({ name }) => name)).toContain('orch_queue_oldest_age_seconds');
  });

  it('escape labels', () => {
    const samples = [{ labels: { a: 'x"\\\n' }, value: 1 }];
    expect(metricsText([{ name: 'n', help: 'h', type: 'gauge', samples }])).toBe(
      '# HELP n h\n# TYPE n gauge\nn{a="x\\"\\\\\\n"} 1\n',
    );
  });
});
