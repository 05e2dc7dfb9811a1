import type { Chart } from '../chart.js';
import type { Goal } from '../goals.js';
import { median, middleHalf, over, paired } from '../statistics.js';
import { type Cell, figure, range, type Table } from '../table.js';
import type { Footprint } from './footprint.js';
import type { TimeoutStorm } from './loops.js';
import * as peers from './peers.js';
import { type Measurements, OCCUPANCIES, occupancyName, SIZES, type Times, tryName } from './suite.js';

/** Each peer's times, and how many times as long as our engine it takes. */
export function timeTable(title: string, times: Times): Table {
  const ours = times[peers.ENGINE] ?? [];
  return {
    title,
    columns: ['', 'median', 'middle half', '× engine', 'rounds'],
    rows: Object.entries(times).map(([name, values]): Cell[] => [
      name,
      figure(median(values)),
      range(middleHalf(values)),
      figure(median(paired(values, ours, over))),
      values.length,
    ]),
  };
}

/** What a lease costs with so many waiting for ten connections. */
export function crowdChart(contended: Readonly<Record<number, Times>>): Chart {
  const names = Object.keys(Object.values(contended)[0] ?? {});
  return {
    title: 'Acquire, yield and release, by the number of callers',
    x: { label: 'callers', logarithmic: true },
    y: { label: 'ns', logarithmic: true },
    series: names.map((name) => ({
      name,
      points: Object.entries(contended).map(
        ([callers, times]) => [Number(callers), median(times[name] ?? [])] as const,
      ),
    })),
  };
}

export function sizeTable(bySize: Readonly<Record<string, Times>>): Table {
  const settings = OCCUPANCIES.flatMap((occupancy) => SIZES.map((size) => occupancyName(size, occupancy)));
  return {
    title: 'Uncontended, by pool size (ns per acquire and release)',
    columns: ['', ...settings],
    rows: Object.entries(bySize).map(([name, times]) => [
      name,
      ...settings.map((setting) => figure(median(times[setting] ?? []))),
    ]),
    note: 'one idle: all others are held',
  };
}

export function stormTable(title: string, storms: Readonly<Record<string, readonly TimeoutStorm[]>>): Table {
  return {
    title,
    columns: ['', 'longest stall ms', 'middle half', 'last told late by ms', 'middle half'],
    rows: Object.entries(storms).map(([name, all]) => {
      const stalls = all.map(({ stallMs }) => stallMs);
      const lateness = all.map(({ latenessMs }) => latenessMs);
      return [
        name,
        figure(median(stalls)),
        range(middleHalf(stalls)),
        figure(median(lateness)),
        range(middleHalf(lateness)),
      ];
    }),
  };
}

export function footprintTable(footprints: Readonly<Record<string, Footprint>>): Table {
  return {
    title: 'Per uncontended acquire and release',
    columns: ['', 'bytes', 'middle half', 'promises', 'timers', 'ticks', 'other'],
    rows: Object.entries(footprints).map(([name, footprint]) => {
      const { bytes, resources } = footprint;
      const { PROMISE = 0, Timeout = 0, TickObject = 0, ...others } = resources;
      const other = Object.entries(others).map(([type, count]) => `${type} ${count}`);
      return [
        name,
        figure(median(bytes)),
        range(middleHalf(bytes)),
        PROMISE,
        Timeout,
        TickObject,
        other.join(', '),
      ];
    }),
    note: 'bytes include those of the await; promises and the like do not',
  };
}

/** The figures that issue 2 asks for. */
export function goalsOf({ uncontended, tried, contended, bySize, storms, footprints }: Measurements): Goal[] {
  const crowd = contended[4_096] ?? {};
  const own = footprints[peers.ENGINE];
  return [
    {
      claim: 'engine, metrics on: promises of its own',
      unit: '',
      atMost: 1,
      values: [own?.resources.PROMISE ?? 0],
    },
    { claim: 'engine, metrics on: timers', unit: '', atMost: 0, values: [own?.resources.Timeout ?? 0] },
    { claim: 'engine, metrics on: bytes', unit: 'B', atMost: 300, values: own?.bytes ?? [] },
    ratio('engine, metrics on, over the floor', uncontended, peers.ENGINE, peers.FLOOR, { atMost: 3 }),
    ratio('pg-pool over engine', uncontended, peers.PG_STOCK, peers.ENGINE, { atLeast: 7 }),
    ratio('tarn over engine', uncontended, peers.TARN, peers.ENGINE, { atLeast: 14 }),
    ratio("mysql2's pool over engine", uncontended, peers.MYSQL2_STOCK, peers.ENGINE, { atLeast: 4 }),
    {
      claim: 'tryAcquire and release, metrics on',
      unit: 'ns',
      atMost: 20,
      values: tried[tryName(peers.ENGINE)] ?? [],
    },
    ...OCCUPANCIES.map((occupancy) =>
      ratio(
        `engine: 1,000 connections over 10, ${occupancy}`,
        bySize[peers.ENGINE] ?? {},
        occupancyName(1_000, occupancy),
        occupancyName(10, occupancy),
        { atMost: 1.1 },
      ),
    ),
    ratio('4,096 waiters: tarn over engine', crowd, peers.TARN, peers.ENGINE, { atLeast: 10 }),
    ratio('4,096 waiters: pg-pool over engine', crowd, peers.PG_STOCK, peers.ENGINE, { atLeast: 4 }),
    {
      claim: 'engine: longest stall when 10,000 time out',
      unit: 'ms',
      atMost: 15,
      values: (storms[peers.ENGINE] ?? []).map(({ stallMs }) => stallMs),
    },
    ratio('pg.Pool#connect and release: stock over enhanced', uncontended, peers.PG_STOCK, peers.PG, {
      atLeast: 3,
    }),
    ratio('knex acquire and release: stock over enhanced', uncontended, peers.KNEX_STOCK, peers.KNEX, {
      atLeast: 4,
    }),
    ratio(
      'mysql2 getConnection and release: stock over enhanced',
      uncontended,
      peers.MYSQL2_STOCK,
      peers.MYSQL2,
      {
        atLeast: 1.5,
      },
    ),
    ratio('A/A: tarn over tarn', uncontended, peers.TARN, peers.TARN_AGAIN, { straddles: 1 }),
  ];
}

function ratio(
  claim: string,
  times: Times,
  one: string,
  other: string,
  bound: Pick<Goal, 'atMost' | 'atLeast' | 'straddles'>,
): Goal {
  return { claim, unit: '×', ...bound, values: paired(times[one] ?? [], times[other] ?? [], over) };
}
