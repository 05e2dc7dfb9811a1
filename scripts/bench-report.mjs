// Draws the report of a benchmark run, and quotes its figures.
//
//   node scripts/bench-report.mjs [results.json]   bench/results/latest.html, after every run
//   npm run docs:figures                           what the repository quotes: the results, docs/benchmarks.html, README.md and
//                                                  docs/performance.md; quick runs are left out
//   … --check                                      only says whether these agree
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeSections } from './generated-sections.mjs';
import { inlinePage } from './inline-page.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const { reportBody, reportCharts } = require(join(root, 'dist/bench/report/page.js'));
const { published, quotedSections } = require(join(root, 'dist/bench/report/figures.js'));
const LATEST = join(root, 'bench/results/latest.json');
const PUBLISHED = join(root, 'bench/results/published.json');
const REPORT = join(root, 'docs/benchmarks.html');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { publish: { type: 'boolean', default: false }, check: { type: 'boolean', default: false } },
});

const read = (file) => JSON.parse(readFileSync(file, 'utf8')).suites;

function page(results) {
  // Inside a script element only "<" could end it.
  const charts = JSON.stringify(reportCharts(results)).replaceAll('<', '\\u003c');
  return inlinePage(root, 'bench/report/page', {
    '<!-- {body} -->': reportBody(results),
    '"{charts}"': charts,
  });
}

function quote(results, check) {
  const { readme, performance } = quotedSections(results);
  return [
    writeSections(join(root, 'README.md'), readme, { check }),
    writeSections(join(root, 'docs/performance.md'), performance, { check }),
  ].every(Boolean);
}

if (values.check) {
  const results = read(PUBLISHED);
  if (!quote(results, true) || readFileSync(REPORT, 'utf8') !== page(results)) {
    console.error(
      'README.md, docs/performance.md or docs/benchmarks.html do not say what was measured: npm run docs:figures',
    );
    process.exit(1);
  }
} else if (values.publish) {
  // Suites that were not run lately keep what was published of them.
  const ran = existsSync(LATEST) ? Object.entries(read(LATEST)).filter(([, { quick }]) => !quick) : [];
  const results = { ...read(PUBLISHED), ...published(Object.fromEntries(ran)) };
  writeFileSync(PUBLISHED, `${JSON.stringify({ suites: results }, undefined, 1)}\n`);
  writeFileSync(REPORT, page(results));
  quote(results, false);
} else {
  const file = positionals[0] === undefined ? LATEST : resolve(positionals[0]);
  const target = file.replace(/(\.json)?$/, '.html');
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, page(read(file)));
  console.log(target);
}
