import { setTimeout as sleep } from 'node:timers/promises';
import type { Chart } from '../chart.js';
import type { Goal } from '../goals.js';
import { evenly, openLoop, type Request, sendAt } from '../open-loop.js';
import { ownCopy } from '../own-copy.js';
import { say } from '../progress.js';
import { median } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { type Cell, figure, type Table } from '../table.js';
import { FAULTS, type Fault } from './faults.js';
import { type Outcome, outcomeOf, TENTH_MS } from './outcome.js';
import type { Client, ClientModule } from './peer.js';
import { TcpProxy } from './proxy.js';
import { LOGIN, type Stage, type Stages, setUpStages } from './stage.js';

interface Peer {
  readonly name: string;
  readonly server: 'postgres' | 'mysql';
  /** In `peers/`, and what of it. */
  readonly file: string;
  readonly way: string;
}

const PEERS: readonly Peer[] = [
  { name: 'pg', server: 'postgres', file: 'pg', way: 'pool' },
  { name: 'mysql2', server: 'mysql', file: 'mysql2', way: 'pool' },
  { name: 'knex-pg', server: 'postgres', file: 'knex', way: 'pg' },
  { name: 'knex-mysql2', server: 'mysql', file: 'knex', way: 'mysql2' },
];

/** Each in turn, so that both see the same servers. */
const WAYS = ['stock', 'enhanced'] as const;
type Way = (typeof WAYS)[number];

const CONNECTIONS = 10;
const PER_SECOND = 200;

interface Extent {
  readonly rounds: number;
  /** Of load before the fault. */
  readonly calmMs: number;
  /** Of load from the fault on. */
  readonly stormMs: number;
  /** For those still unanswered when the load ends. */
  readonly graceMs: number;
}

const FULL: Extent = { rounds: 3, calmMs: 1_000, stormMs: 6_000, graceMs: 3_000 };
const QUICK: Extent = { rounds: 1, calmMs: 500, stormMs: 4_500, graceMs: 1_500 };

type Measure = Exclude<keyof Outcome, 'error' | 'lostByTenth'>;

/** Of one fault, one peer: what each round showed of each way. */
type Rounds = Readonly<Record<Way, readonly Outcome[]>>;

interface Row {
  readonly fault: Fault;
  readonly peer: Peer;
  readonly rounds: Rounds;
}

export const faults: Suite = {
  name: 'faults',
  question: 'What does a bad day cost: restarts, crashes, failovers, mute networks?',
  async run({ quick, only }: Effort): Promise<Findings> {
    say('(starting servers)');
    const stages = await setUpStages();
    try {
      const extent = quick ? QUICK : FULL;
      const rows: Row[] = [];
      for (const fault of FAULTS) {
        for (const peer of PEERS) {
          if (only !== undefined && !`${fault.name} ${peer.name}`.includes(only)) continue;
          rows.push({ fault, peer, rounds: await measure(fault, peer, stages, extent) });
        }
      }
      return {
        tables: FAULTS.flatMap((fault) => tableOf(fault, rows)),
        goals: [...rows.flatMap(goalsOf), ...overall(rows)],
        charts: FAULTS.flatMap((fault) => chartOf(fault, rows, extent)),
        samples: Object.fromEntries(
          rows.map(({ fault, peer, rounds }) => [`${fault.name}, ${peer.name}`, rounds]),
        ),
      };
    } finally {
      await stages.stop();
    }
  },
};

async function measure(fault: Fault, peer: Peer, stages: Stages, extent: Extent): Promise<Rounds> {
  const rounds = { stock: [] as Outcome[], enhanced: [] as Outcome[] };
  for (let round = 0; round < extent.rounds; round += 1) {
    for (const way of WAYS) {
      say(`${fault.name}, ${peer.name} ${way}, round ${round + 1}`);
      rounds[way].push(await live(fault, peer, way, stages[peer.server], extent));
    }
  }
  return rounds;
}

/** One application's bad day. */
async function live(fault: Fault, peer: Peer, way: Way, stage: Stage, extent: Extent): Promise<Outcome> {
  const proxy = await TcpProxy.before(stage.first.port);
  const client = await open(peer, way, stage, proxy);
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, () => client.run(stage.slowSql)));
    const send = (index: number) => client.run(fault.sql(stage, index));
    const bursts = fault.burst === undefined ? undefined : burstEverySecond(fault.burst, send);
    const load = openLoop(evenly(PER_SECOND, extent.calmMs + extent.stormMs), extent.graceMs, send);
    await sleep(extent.calmMs);
    const faultAt = performance.now();
    await fault.strike(stage, proxy);
    const readyAt = performance.now();
    const steady = await load;
    const requests = [...steady, ...(bursts?.stop() ?? [])];
    return outcomeOf(requests, proxy.attempts, faultAt, readyAt, fault.expects);
  } finally {
    // Stock waits for ever for whoever hangs.
    await Promise.race([client.close().catch(() => {}), sleep(500)]);
    await proxy.close();
    await stage.heal();
  }
}

function open(
  { file, way: entry }: Peer,
  way: Way,
  { database }: Stage,
  { port }: TcpProxy,
): Promise<Client> {
  const { modules, within } = ownCopy([require.resolve(`./peers/${file}.js`)]);
  const address = { host: '127.0.0.1', port, ...LOGIN, database };
  return within(() =>
    (modules as [ClientModule])[0][entry]!({ address, size: CONNECTIONS, enhanced: way === 'enhanced' }),
  );
}

function burstEverySecond(size: number, send: (index: number) => Promise<unknown>) {
  const requests: Request[] = [];
  const timer = setInterval(() => {
    const dueAt = performance.now();
    for (let index = 0; index < size; index += 1) requests.push(sendAt(dueAt, index, send));
  }, 1_000);
  return {
    stop(): Request[] {
      clearInterval(timer);
      return requests;
    },
  };
}

function tableOf(fault: Fault, rows: readonly Row[]): Table[] {
  const ofFault = rows.filter((row) => row.fault === fault);
  if (ofFault.length === 0) return [];
  const columns = ['', 'failed', 'late', 'hung', 'longest ms', 'attempts', 'peak/s', 'recovered ms', 'error'];
  const cells = ofFault.flatMap(({ peer, rounds }) =>
    WAYS.map((way): Cell[] => {
      const middle = (what: Measure) => figure(median(rounds[way].map((outcome) => outcome[what])));
      return [
        `${peer.name} ${way}`,
        ...(['failed', 'late', 'hung', 'longestMs', 'attempts', 'attemptsPeak', 'recoveryMs'] as const).map(
          middle,
        ),
        rounds[way][0]?.error.slice(0, 60) ?? '',
      ];
    }),
  );
  return [
    {
      title: `${fault.name}: of ${figure(ofFault[0]!.rounds.stock[0]!.requests)} requests, ${PER_SECOND} a second`,
      columns,
      rows: cells,
      note: 'recovered: from the server being ready to the end of the last request that failed or took over 100 ms',
    },
  ];
}

/** When requests were lost, library by library. */
function chartOf(fault: Fault, rows: readonly Row[], { calmMs }: Extent): Chart[] {
  const ofFault = rows.filter((row) => row.fault === fault);
  if (ofFault.length === 0) return [];
  return [
    {
      title: `${fault.name}: requests that failed, hung or took over 100 ms`,
      x: { label: 'seconds since the fault' },
      y: { label: 'lost, in each tenth of a second' },
      series: ofFault.flatMap(({ peer, rounds }) =>
        WAYS.map((way) => ({ name: `${peer.name} ${way}`, points: timeLine(rounds[way], calmMs) })),
      ),
      note: 'medians over the rounds, by when a request was due',
    },
  ];
}

function timeLine(outcomes: readonly Outcome[], calmMs: number): [number, number][] {
  return (outcomes[0]?.lostByTenth ?? []).map((_, tenth) => [
    (tenth * TENTH_MS - calmMs) / 1_000,
    median(outcomes.map(({ lostByTenth }) => lostByTenth[tenth] ?? 0)),
  ]);
}

/** What is promised of each fault: issue 7's table. */
const PROMISES: Readonly<
  Record<
    string,
    readonly {
      readonly what: Measure;
      readonly unit: string;
      readonly atMost: number;
    }[]
  >
> = {
  restart: [
    { what: 'failed', unit: 'requests', atMost: 5 },
    { what: 'attemptsPeak', unit: 'attempts/s', atMost: CONNECTIONS },
    { what: 'recoveryMs', unit: 'ms', atMost: 300 },
  ],
  crash: [
    { what: 'failed', unit: 'requests', atMost: 10 },
    { what: 'recoveryMs', unit: 'ms', atMost: 300 },
  ],
  'half-open': [
    { what: 'hung', unit: 'requests', atMost: 0 },
    { what: 'recoveryMs', unit: 'ms', atMost: 500 },
  ],
  frozen: [
    { what: 'failed', unit: 'requests', atMost: 0 },
    { what: 'longestMs', unit: 'ms', atMost: 3_200 },
  ],
  terminate: [{ what: 'failed', unit: 'requests', atMost: CONNECTIONS }],
  failover: [{ what: 'recoveryMs', unit: 'ms', atMost: 1_000 }],
  'server full': [{ what: 'failed', unit: 'requests', atMost: 0 }],
  password: [{ what: 'attempts', unit: 'attempts', atMost: 2 }],
  violations: [{ what: 'attempts', unit: 'attempts', atMost: 0 }],
};

function goalsOf({ fault, peer, rounds }: Row): Goal[] {
  return (PROMISES[fault.name] ?? []).map(({ what, unit, atMost }) => ({
    claim: `${fault.name}, ${peer.name}: ${what}`,
    unit,
    atMost,
    values: rounds.enhanced.map((outcome) => outcome[what]),
  }));
}

/** Over all faults together. A changed password fails every request, stock or not, so it is left out of the errors. */
function overall(rows: readonly Row[]): Goal[] {
  const counted = rows.filter(({ fault }) => fault.name !== 'password');
  if (counted.length === 0) return [];
  const share = (of: (outcome: Outcome) => number, among: readonly Row[]) =>
    among[0]!.rounds.stock.map((_, round) => {
      const total = (way: Way) => among.reduce((sum, { rounds }) => sum + of(rounds[way][round]!), 0);
      return total('enhanced') / Math.max(1, total('stock'));
    });
  return [
    {
      claim: 'requests failed or hung, over stock',
      unit: '×',
      atMost: 0.4,
      values: share(({ failed, hung }) => failed + hung, counted),
    },
    {
      claim: 'connection attempts, over stock',
      unit: '×',
      atMost: 0.4,
      values: share(({ attempts }) => attempts, rows),
    },
  ];
}
