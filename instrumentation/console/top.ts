import { setTimeout as sleep } from 'node:timers/promises';
import type { ToldDecision } from './pool-logs.js';
import type { ConsoleView, PoolView } from './view.js';

const REFRESH_MS = 1_000;
const BAR_WIDTH = 24;
const DECISIONS_SHOWN = 8;
const CIRCUIT_SHOWN = 3;
const QUERIES_SHOWN = 5;

/** What a terminal has room for. */
type Screen = Pick<NodeJS.WriteStream, 'rows' | 'columns'>;

export interface TopOptions {
  readonly once: boolean;
  /** Only the one of this name. */
  readonly pool?: string | undefined;
}

/** The console in a terminal: reads what the page reads, until it is interrupted or the application is gone. */
export async function top(address: string, { once, pool }: TopOptions): Promise<void> {
  const url = new URL(address);
  url.pathname = '/snapshot';
  for (;;) {
    const view = await read(url);
    if (view === undefined) return;
    const shown = { ...view, pools: view.pools.filter(({ name }) => pool === undefined || name === pool) };
    if (pool !== undefined && shown.pools.length === 0) {
      const open = view.pools.map(({ name }) => name).join(', ');
      console.error(`No open pool is called '${pool}'${open === '' ? '' : `: there are ${open}`}.`);
      process.exitCode = 1;
      return;
    }
    if (once || !process.stdout.isTTY) {
      console.log(draw(shown));
      return;
    }
    process.stdout.write(`\x1b[H\x1b[2J${draw(shown, process.stdout)}\n`);
    await sleep(REFRESH_MS);
  }
}

async function read(url: URL): Promise<ConsoleView | undefined> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch {
    console.error('No console answers there: is the application running, with its console on?');
    process.exitCode = 1;
    return undefined;
  }
  if (response.ok) return (await response.json()) as ConsoleView;
  console.error(`The console refuses: ${(await response.text()).trim()}`);
  process.exitCode = 1;
  return undefined;
}

/** What fits, where it is for a screen: each pool has its share of the lines, and shows first what matters most. */
export function draw({ pid, pools }: ConsoleView, screen?: Screen): string {
  if (pools.length === 0) return `process ${pid}: no pool is open`;
  if (screen === undefined)
    return [`process ${pid}`, ...pools.flatMap((pool) => ['', ...drawPool(pool)])].join('\n');
  // The process and how many are left out have a line each, and so has the cursor.
  const rows = Math.max(2, screen.rows - 3);
  const drawn = pools.slice(0, Math.floor(rows / 2));
  const share = Math.floor(rows / drawn.length);
  const left = pools.length - drawn.length;
  return [
    `process ${pid}`,
    ...drawn.flatMap((pool) => ['', ...drawPool(pool)].slice(0, share)),
    ...(left === 0 ? [] : [`${left} more pools: --pool shows one of them`]),
  ]
    .map((line) => line.slice(0, screen.columns))
    .join('\n');
}

function drawPool(pool: PoolView): string[] {
  const {
    name,
    stats,
    inUse,
    idle,
    wait,
    use,
    ever,
    counters,
    decisions,
    circuit,
    flags,
    forecast,
    sizing,
    limit,
    findings,
  } = pool;
  const acting = flags.filter((flag) => flag.acting).map((flag) => flag.name);
  const advice = [sizing?.whatIf?.advice, limit?.advice].filter((said) => said !== undefined);
  return [
    `${name}  ${bar(inUse, idle, stats.limit)}  ${inUse} in use, ${idle} idle, ${stats.opening} opening of ${stats.limit}`,
    `  target ${stats.target}   forecast ${forecast ?? '–'}   waiting ${stats.waiting}   circuit ${stats.circuit}   load ${sizing?.workload ?? '–'}`,
    `  last 10 s: wait p50 ${ms(wait.p50Ms)} p99 ${ms(wait.p99Ms)}   held p50 ${ms(use.p50Ms)} p99 ${ms(use.p99Ms)}`,
    `  ever: wait p99 ${ms(ever.wait.p99Ms)}   timeouts ${counters.timedOut}   opened ${counters.opened}`,
    ...(acting.length === 0 ? [] : [`  acting: ${acting.join(', ')}`]),
    ...advice.map((said) => `  advice: ${said}`),
    ...findings.map((words) => `  ${words}`),
    ...told(circuit, CIRCUIT_SHOWN),
    ...told(
      decisions.filter(({ kind }) => kind !== 'circuit'),
      DECISIONS_SHOWN,
    ),
    ...listed(
      'queries',
      pool.queries.slice(0, QUERIES_SHOWN),
      ({ summary, fingerprint, lane, runs, meanMs }) =>
        [lane, `${runs} runs`, ms(meanMs), summary || fingerprint].join('   '),
    ),
    ...listed(
      'connections',
      pool.connections,
      ({ id, state, sinceMs, uses, holders, efficiency, retiring }) =>
        [
          `${id} ${state} for ${ms(sinceMs)}`,
          `${uses} uses`,
          `${holders} leases`,
          `${Math.round(100 * efficiency)} % well spent`,
          ...(retiring === undefined ? [] : [`closes: ${retiring}`]),
        ].join('   '),
    ),
    ...listed(
      'another max',
      sizing?.whatIf?.alternatives ?? [],
      ({ max, waitMeanMs, waitP99Ms, connectionTime }) =>
        [
          `max ${max}${max === stats.max ? ' (now)' : ''}`,
          `mean wait ${ms(waitMeanMs)}`,
          `p99 ${ms(waitP99Ms)}`,
          `× ${connectionTime.toFixed(2)} connection time`,
        ].join('   '),
    ),
  ];
}

function told(decisions: readonly ToldDecision[], most: number): string[] {
  return decisions.slice(-most).map(({ at, words }) => `  ${new Date(at).toLocaleTimeString()}  ${words}`);
}

function listed<T>(title: string, items: readonly T[], line: (item: T) => string): string[] {
  return items.length === 0 ? [] : [`  ${title}:`, ...items.map((item) => `    ${line(item)}`)];
}

function bar(used: number, idle: number, limit: number): string {
  const cells = (count: number) => Math.round((BAR_WIDTH * count) / Math.max(limit, 1));
  const full = Math.min(cells(used), BAR_WIDTH);
  const half = Math.min(cells(idle), BAR_WIDTH - full);
  return `[${'█'.repeat(full)}${'▒'.repeat(half)}${' '.repeat(BAR_WIDTH - full - half)}]`;
}

function ms(duration: number): string {
  if (duration >= 10_000) return `${Math.round(duration / 1_000)} s`;
  return duration < 10 ? `${duration.toFixed(1)} ms` : `${Math.round(duration)} ms`;
}
