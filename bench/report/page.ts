import type { JudgedGoal } from '../goals.js';
import { bound, INTERVAL } from '../goals.js';
import type { Machine } from '../machine.js';
import type { Results, SuiteRecord } from '../results.js';
import { figure, range, type Table } from '../table.js';
import { seedTable } from './seed.js';

/** The body of the report: everything that can be read without a script; charts are empty boxes, filled by the page. */
export function reportBody(results: Results): string {
  const suites = Object.entries(results);
  const met = suites.flatMap(([, { goals }]) => goals.map((goal) => goal.met));
  return [
    `<p>${met.filter(Boolean).length} of ${met.length} goals met. Each figure is the median over the rounds of a run in which the peers `,
    'took turns (the mixed load met them all at once, and sizing is computed), with the 95 % bootstrap interval of that median, or where ',
    'there were fewer than six rounds the lowest and the highest.</p>',
    table(seedTable(results)),
    `<nav><ul>${suites.map(([name]) => `<li><a href="#${name}">${escaped(name)}</a></li>`).join('')}</ul></nav>`,
    ...suites.map(([name, record]) => section(name, record)),
  ].join('\n');
}

/** What the page's script draws, by the id of its box. */
export function reportCharts(results: Results): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(results).flatMap(([suite, { charts = [] }]) =>
      charts.map((chart, index) => [chartId(suite, index), chart]),
    ),
  );
}

function section(name: string, record: SuiteRecord): string {
  const { question, ranAt, tookSeconds, quick, machine, goals, tables, charts = [], against } = record;
  const others = Object.entries(against ?? {}).map(([what, version]) => `${what} ${version}`);
  return `<section id="${name}">
<h2>${escaped(name)}</h2>
<p>${escaped(question)}</p>
<p class="soft">${escaped([`${ranAt.slice(0, 10)}, ${tookSeconds} s`, ...describe(machine), ...others].join('; '))}</p>
${quick ? '<p class="warning">A quick run: not to be quoted.</p>' : ''}
${goalsTable(goals)}
${charts.map((chart, index) => chartBox(chartId(name, index), chart.title, chart.note)).join('\n')}
<details><summary>Every table</summary>
${tables.map(table).join('\n')}
</details>
</section>`;
}

function describe({ cpu, cores, memoryGiB, system, node, load, commit }: Machine): string[] {
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}`,
    `Node ${node}`,
    `load ${figure(load)} at the start`,
    `commit ${commit}`,
  ];
}

function goalsTable(goals: readonly JudgedGoal[]): string {
  const rows = goals.map((goal) => {
    const { claim, unit, median, interval, values, met } = goal;
    const cells = [claim, `${bound(goal)} ${unit}`, figure(median), range(interval), values.length].map(cell);
    return `<tr>${cells.join('')}<td>${strip(goal)}</td><td class="${met ? 'met' : 'missed'}">${met ? 'met' : 'not met'}</td></tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${['claim', 'goal', 'measured', INTERVAL, 'rounds', '', ''].map(heading).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

const STRIP = { width: 160, height: 14 };

/** The interval and its median against the goal, on a line of its own. */
function strip({ median, interval, atMost, atLeast, straddles }: JudgedGoal): string {
  const goal = atMost ?? atLeast ?? straddles ?? 0;
  const most = Math.max(goal, ...interval.filter(Number.isFinite)) * 1.15 || 1;
  const at = (value: number) =>
    Math.round(((Math.min(Math.max(value, 0), most) / most) * (STRIP.width - 6) + 3) * 10) / 10;
  const middle = STRIP.height / 2;
  return `<svg width="${STRIP.width}" height="${STRIP.height}" aria-hidden="true"><line class="goal" x1="${at(goal)}" x2="${at(goal)}" y1="0" y2="${STRIP.height}"/>\
<line class="interval" x1="${at(interval[0])}" x2="${at(interval[1])}" y1="${middle}" y2="${middle}"/><circle cx="${at(median)}" cy="${middle}" r="3"/></svg>`;
}

function chartBox(id: string, title: string, note: string | undefined): string {
  const words = note === undefined ? '' : `<figcaption>${escaped(note)}</figcaption>`;
  return `<figure><h3>${escaped(title)}</h3><div class="chart" id="${id}" role="img" aria-label="${escaped(title)}"></div>${words}</figure>`;
}

function chartId(suite: string, index: number): string {
  return `chart-${suite}-${index}`;
}

function table({ title, columns, rows, note }: Table): string {
  const body = rows.map((cells) => `<tr>${cells.map(cell).join('')}</tr>`);
  return `<h3>${escaped(title)}</h3>
<div class="scroll"><table><thead><tr>${columns.map(heading).join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>
${note === undefined ? '' : `<p class="soft">${escaped(note)}</p>`}`;
}

const cell = (value: string | number) => `<td>${escaped(String(value))}</td>`;
const heading = (value: string) => `<th scope="col">${escaped(value)}</th>`;

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
