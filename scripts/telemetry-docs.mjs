// Writes the tables of docs/telemetry.md from those that the instruments are made from; --check only compares.
//
//   npm run docs:telemetry
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSections } from './generated-sections.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, 'docs/telemetry.md');
const require = createRequire(import.meta.url);
const { ATTRIBUTES, IDENTITY } = require(join(root, 'dist/instrumentation/telemetry/attribute-table.js'));
const { METRICS, isConvention, seriesAtMost } = require(
  join(root, 'dist/instrumentation/telemetry/metric-table.js'),
);
const { EVENTS, SPAN_EVENTS, SPANS } = require(join(root, 'dist/instrumentation/telemetry/signal-table.js'));

const code = (word) => `\`${word}\``;
const list = (names) => names.map(code).join(', ');

function table(heads, rows) {
  return [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

const SECTIONS = {
  metrics: table(
    ['metric', 'instrument, unit', 'meaning', 'attributes', 'series a pool', 'stability'],
    METRICS.map((row) => [
      code(row.name),
      `${row.instrument}, ${code(row.unit)}`,
      row.meaning,
      list(row.attributes),
      seriesAtMost(row),
      isConvention(row.name) ? 'conventions, in development' : 'ours',
    ]),
  ),
  spans: table(
    ['span', 'kind', 'when', 'where', 'attributes'],
    SPANS.map(({ name, kind, when, place, attributes }) => [code(name), kind, when, place, list(attributes)]),
  ),
  events: table(
    ['log event', 'severity', 'when', 'attributes'],
    EVENTS.map(({ name, severity, when, attributes }) => [code(name), severity, when, list(attributes)]),
  ),
  'span events': table(
    ['event', 'on', 'attributes'],
    SPAN_EVENTS.map(({ name, on, attributes }) => [code(name), on, list(attributes)]),
  ),
  attributes: table(
    ['attribute', 'values', 'meaning'],
    Object.entries(ATTRIBUTES).map(([name, { values, type, meaning }]) => [
      `${code(name)}${IDENTITY.includes(name) ? ' (identity)' : ''}`,
      values === undefined ? type : list(values),
      meaning,
    ]),
  ),
};

const check = process.argv.includes('--check');
if (!writeSections(page, SECTIONS, { check }) && check) {
  console.error('docs/telemetry.md is stale: npm run docs:telemetry');
  process.exit(1);
}
