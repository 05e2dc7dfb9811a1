import { type Collector, quantileMs } from './collector.js';
import { LIBRARY_OF, type Phase, POOLS, type PoolName } from './phases.js';
import { bold, count, dim, milliseconds, row, type Screen } from './screen.js';
import { type ForEachKind, forEachKind, KINDS } from './service.js';
import { type Experience, type Experiences, errorCount } from './traffic.js';

const REDRAW_MS = 200;
const LINE_MS = 1_000;
const WIDTHS = [8, 9, 6, 5, 4, 7, 9, 9, 7, 6];

/** What a phase looks like while it is played. */
export interface Watched {
  readonly phase: Phase;
  readonly position: string;
  readonly sides: ForEachKind<{ readonly collector: Collector; readonly experiences: Experiences }>;
}

/** Shows the pools until the returned function is called: a table drawn in place, or a line each second. */
export function watch(screen: Screen, watched: Watched): () => void {
  const startedAt = performance.now();
  const seconds = () => ((performance.now() - startedAt) / 1_000).toFixed(0);
  const show = () => {
    if (screen.live) screen.draw(tableLines(watched, seconds()));
    else screen.print([compactLine(watched, seconds())]);
  };
  if (screen.live) show();
  const timer = setInterval(show, screen.live ? REDRAW_MS : LINE_MS);
  return () => {
    clearInterval(timer);
    show();
  };
}

function tableLines({ phase, position, sides }: Watched, seconds: string): string[] {
  const { enhanced, stock } = forEachKind((kind) => total(sides[kind].experiences, errorCount));
  const sent = total(sides.enhanced.experiences, ({ requests }) => requests);
  return [
    `${bold(phase.name)} (${position}) · ${seconds} s · ${count(sent)} requests each · failed ${count(enhanced)} enhanced, ${count(stock)} stock`,
    dim(
      row(
        ['pools', '', '', 'open', 'idle', 'waiting', 'wait p50', 'wait p99', 'created', 'errors'],
        WIDTHS,
        3,
      ),
    ),
    ...KINDS.flatMap((kind) =>
      POOLS.map((pool) =>
        row([pool === POOLS[0] ? kind : '', ...cellsOf(pool, sides[kind].collector)], WIDTHS, 3),
      ),
    ),
  ];
}

function total(experiences: Experiences, amount: (experience: Experience) => number): number {
  return POOLS.reduce((sum, pool) => sum + amount(experiences[pool]), 0);
}

function cellsOf(pool: PoolName, collector: Collector): string[] {
  const numbers = collector.pools.get(pool) ?? {};
  return [
    pool,
    LIBRARY_OF[pool],
    count(openOf(collector, pool)),
    count(numbers.idle),
    count(numbers.waiting),
    withUnit(quantileMs(numbers, 0.5)),
    withUnit(quantileMs(numbers, 0.99)),
    count(numbers.created),
    count(numbers.errors),
  ];
}

function compactLine({ phase, sides }: Watched, seconds: string): string {
  const { collector } = sides.enhanced;
  const pools = POOLS.map((pool) => {
    const numbers = collector.pools.get(pool) ?? {};
    return `${pool} ${count(openOf(collector, pool))}/${count(numbers.idle)}/${count(numbers.waiting)} ${milliseconds(quantileMs(numbers, 0.99))}`;
  });
  return row([phase.name, `${seconds} s`, ...pools], [7, 6, 20, 22, 20], 1);
}

function openOf(collector: Collector, pool: PoolName): number | undefined {
  const { idle, used, opening } = collector.pools.get(pool) ?? {};
  return idle === undefined && used === undefined ? undefined : (idle ?? 0) + (used ?? 0) + (opening ?? 0);
}

function withUnit(value: number | undefined): string {
  return value === undefined ? '–' : `${milliseconds(value)} ms`;
}
