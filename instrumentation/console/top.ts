import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsoleView, PoolView } from './view.js';

const REFRESH_MS = 1_000;
const BAR_WIDTH = 24;
const DECISIONS_SHOWN = 8;

/** The console in a terminal: reads what the page reads, until it is interrupted or the application is gone. */
export async function top(address: string, once: boolean): Promise<void> {
  const url = new URL(address);
  url.pathname = '/snapshot';
  for (;;) {
    const view = await read(url);
    if (view === undefined) return;
    const screen = draw(view);
    if (once || !process.stdout.isTTY) {
      console.log(screen);
      return;
    }
    process.stdout.write(`\x1b[H\x1b[2J${screen}\n`);
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

export function draw({ pid, pools }: ConsoleView): string {
  if (pools.length === 0) return `process ${pid}: no pool is open`;
  return [`process ${pid}`, ...pools.flatMap((pool) => ['', ...drawPool(pool)])].join('\n');
}

function drawPool({ name, stats, wait, use, counters, decisions, flags, findings }: PoolView): string[] {
  const used = stats.leased + stats.checking + stats.warming;
  const idle = stats.idle + stats.stale;
  const acting = flags.filter((flag) => flag.acting).map((flag) => flag.name);
  return [
    `${name}  ${bar(used, idle, stats.limit)}  ${used} in use, ${idle} idle, ${stats.opening} opening of ${stats.limit}`,
    `  target ${stats.target}   waiting ${stats.waiting}   circuit ${stats.circuit}` +
      (acting.length === 0 ? '' : `   acting: ${acting.join(', ')}`),
    `  wait p50 ${ms(wait.p50Ms)} p99 ${ms(wait.p99Ms)}   held p50 ${ms(use.p50Ms)} p99 ${ms(use.p99Ms)}   ` +
      `timeouts ${counters.timedOut}   opened ${counters.opened}`,
    ...findings.map((words) => `  ${words}`),
    ...decisions
      .slice(-DECISIONS_SHOWN)
      .map(({ at, words }) => `  ${new Date(at).toLocaleTimeString()}  ${words}`),
  ];
}

function bar(used: number, idle: number, limit: number): string {
  const cells = (count: number) => Math.round((BAR_WIDTH * count) / Math.max(limit, 1));
  const full = Math.min(cells(used), BAR_WIDTH);
  const half = Math.min(cells(idle), BAR_WIDTH - full);
  return `[${'█'.repeat(full)}${'▒'.repeat(half)}${' '.repeat(BAR_WIDTH - full - half)}]`;
}

function ms(duration: number): string {
  return duration < 10 ? `${duration.toFixed(1)} ms` : `${Math.round(duration)} ms`;
}
