import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { judge } from '../../bench/goals.js';
import { seedTable } from '../../bench/report/seed.js';
import { keep, read } from '../../bench/results.js';
import { intervalOfMedian } from '../../bench/statistics.js';
import type { Findings } from '../../bench/suite.js';
import { checkoutDirectory } from '../checkout.js';

const SCRIPT = join(checkoutDirectory(), 'scripts/bench-report.mjs');

const MACHINE = {
  cpu: 'a <fast> one',
  cores: 2,
  memoryGiB: 4,
  system: 'linux',
  node: '22.15.0',
  v8: '12',
  load: 0,
  commit: 'abc',
  packages: {},
};

describe('the figures that are quoted', () => {
  it('are those of the published run, in the README, the docs and the page', () => {
    execFileSync(process.execPath, [SCRIPT, '--check']);
  });

  it('become a page of their own after a run, with every goal and chart', () => {
    const directory = mkdtempSync(join(tmpdir(), 'figures-'));
    try {
      const file = join(directory, 'some.json');
      keep(file, 'acquire', {
        question: 'What is 1 < 2?',
        ranAt: '2026-01-02T03:04:05.000Z',
        tookSeconds: 7,
        quick: true,
        machine: MACHINE,
        goals: [judge({ claim: 'is </script> safe', unit: '×', atLeast: 3, values: [2, 4, 6] })],
        tables: [{ title: 'Numbers', columns: ['', 'n'], rows: [['one', 1]] }],
        charts: [
          {
            title: 'A line',
            x: { label: 'x' },
            y: { label: 'y' },
            series: [{ name: '</script>', points: [[1, 2]] }],
          },
        ],
        samples: {},
      });
      const page = execFileSync(process.execPath, [SCRIPT, file], { encoding: 'utf8' }).trim();
      const html = readFileSync(page, 'utf8');
      expect(html)
        .contain('is &lt;/script&gt; safe')
        .and.contain('a &lt;fast&gt; one')
        .and.contain('A quick run');
      expect(html).contain('id="chart-acquire-0"').and.contain('"\\u003c/script>"');
      expect(html).not.match(/https?:\/\/(?!www\.w3\.org|leeoniya|github)/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('of the plan are ratios to stock as percentages, and say when nothing was measured', () => {
    const directory = mkdtempSync(join(tmpdir(), 'figures-'));
    const goal: Findings['goals'][number] = {
      claim: 'pg.Pool#connect and release: stock over enhanced',
      unit: '×',
      atLeast: 3,
      values: [4, 4, 4],
    };
    try {
      const file = join(directory, 'some.json');
      writeFileSync(file, '{"suites":{}}');
      for (const row of seedTable(read(file)).rows) {
        expect(row[5]).equal('');
        const told = row.slice(2, 4).filter((cell) => cell !== '');
        expect(new Set(told), `${row[0]}`).deep.equal(new Set(['not measured']));
      }
      keep(file, 'acquire', {
        question: '',
        ranAt: '2026-01-02T03:04:05.000Z',
        tookSeconds: 7,
        quick: false,
        machine: MACHINE,
        goals: [judge(goal)],
        tables: [],
        samples: {},
      });
      const [, , defaults, , ours, verdict, of] = seedTable(read(file)).rows[0]!;
      expect(defaults).equal('−75.0 % [−75.0 % … −75.0 %]');
      expect([ours, verdict]).deep.equal(['−80.0 %', 'not met']);
      expect(of).match(/release: stock over enhanced \(.*in both\)$/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('what is told of a median', () => {
  it('is the range of its rounds, where they are too few for an interval of 95 %', () => {
    expect(intervalOfMedian([3, 1, 2])).deep.equal([1, 3]);
    const [from, to] = intervalOfMedian([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(from).within(2, 5);
    expect(to).within(8, 11);
  });
});
