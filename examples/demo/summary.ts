import type { ToldSpan } from './collector.js';
import type { ConnectionCounts } from './databases.js';
import { type Phase, POOLS, type PoolName } from './phases.js';
import { bold, count, dim, milliseconds, row } from './screen.js';
import { type ForEachKind, KINDS, type Kind } from './service.js';
import { type Experience, type Experiences, errorCount } from './traffic.js';

/** What one phase did to the clients, and how many connections it cost. */
export interface Seen {
  readonly experiences: Experiences;
  readonly connections: ConnectionCounts;
}

export interface PlayedPhase {
  readonly phase: Phase;
  readonly seen: ForEachKind<Seen>;
}

const WIDTHS = [8, 9, 5, 7, 6, 6, 4, 9, 6, 6, 4];

/** Both kinds of pools, side by side. */
export function comparisonLines(phases: readonly PlayedPhase[]): string[] {
  const lines = [
    row(['', '', '', 'enhanced', '', '', '', 'stock', '', '', ''], WIDTHS, 3),
    dim(
      row(['phase', 'pool', 'sent', 'failed', 'p50', 'p99', 'new', 'failed', 'p50', 'p99', 'new'], WIDTHS, 2),
    ),
  ];
  for (const { phase, seen } of phases) {
    for (const pool of POOLS) {
      const { requests } = seen.enhanced.experiences[pool];
      if (requests === 0) continue;
      const title = pool === POOLS[0] ? phase.name : '';
      lines.push(
        row([title, pool, count(requests), ...KINDS.flatMap((kind) => cellsOf(seen[kind], pool))], WIDTHS, 2),
      );
    }
  }
  return lines;
}

function cellsOf({ experiences, connections }: Seen, pool: PoolName): string[] {
  const experience = experiences[pool];
  return [
    count(errorCount(experience)),
    milliseconds(latencyMs(experience, 50)),
    milliseconds(latencyMs(experience, 99)),
    count(connections[pool]),
  ];
}

function latencyMs({ latency }: Experience, percentile: number): number | undefined {
  return latency.totalCount === 0 ? undefined : latency.getValueAtPercentile(percentile) / 1_000;
}

/** What the clients whose requests failed were told. */
export function complaintLines(phases: readonly PlayedPhase[], kind: Kind): string[] {
  return phases.flatMap(({ phase, seen }) =>
    POOLS.flatMap((pool) =>
      [...seen[kind].experiences[pool].errors].map(
        ([message, times]) => `  ${phase.name}, ${pool}: ${count(times)} × ${endOf(message, 46)}`,
      ),
    ),
  );
}

/** knex puts the statement first and the reason last. */
function endOf(message: string, length: number): string {
  return message.length <= length ? message : `…${message.slice(1 - length)}`;
}

/** The 99th percentile of how late requests were sent: a busy machine, which makes every latency doubtful. */
export function latenessMs(phases: readonly PlayedPhase[]): number {
  const all = phases.flatMap(({ seen }) => POOLS.map((pool) => seen.enhanced.experiences[pool].lateness));
  return Math.max(...all.map((lateness) => lateness.getValueAtPercentile(99))) / 1_000;
}

/** Requests that failed while all servers were up. */
export function failuresInPeace(phases: readonly PlayedPhase[], kind: Kind): number {
  return phases
    .filter(({ phase }) => phase.outage === undefined)
    .flatMap(({ seen }) => POOLS.map((pool) => errorCount(seen[kind].experiences[pool])))
    .reduce((sum, failed) => sum + failed, 0);
}

/** For each decision that the pools made, the span that took longest. */
export function spanLines(spans: readonly ToldSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.id, span]));
  const alike = new Map<string, ToldSpan[]>();
  for (const span of spans) {
    if (!span.name.startsWith('pool.')) continue;
    const key = `${span.name} ${span.attributes[REASON]} ${span.attributes[ERROR] !== undefined}`;
    alike.set(key, [...(alike.get(key) ?? []), span]);
  }
  return [...alike.keys()].sort().flatMap((key) => {
    const group = alike.get(key)!;
    const span = group.reduce((longest, other) => (other.durationMs > longest.durationMs ? other : longest));
    const { attributes } = span;
    const facts = [
      attributes['db.client.connection.pool.name'],
      `${milliseconds(span.durationMs)} ms`,
      ...(span.parentId === undefined ? [] : [`in ${rootOf(span, byId).name}`]),
      ...(attributes[ERROR] === undefined ? [] : [`error ${attributes[ERROR]}`]),
    ];
    return [
      `${bold(span.name)} ${facts.join(' · ')}`,
      dim(`  ${count(group.length)} ×, this one longest: ${attributes[REASON]}`),
    ];
  });
}

const REASON = 'enhanced_pool.decision.reason';
const ERROR = 'error.type';

function rootOf(span: ToldSpan, byId: ReadonlyMap<string, ToldSpan>): ToldSpan {
  const parent = byId.get(span.parentId ?? '');
  return parent === undefined ? span : rootOf(parent, byId);
}
