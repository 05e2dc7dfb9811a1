import { setTimeout as sleep } from 'node:timers/promises';
import type { Chart } from '../chart.js';
import type { Goal } from '../goals.js';
import { interleave } from '../interleave.js';
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
import { loginOf, type Stage, type Stages, setUpStages } from './stage.js';

const SERVERS = ['postgres', 'mysql'] as const;

interface Peer {
  readonly name: string;
  readonly server: (typeof SERVERS)[number];
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

/**
 * In turn, so that neither is in the other's way. Those of one way meet a fault at once, each with a login and a wire of its
 * own, for it is the same outage of the same servers; or one of each server at a time, where all would owe their callers so much afterwards
 * that they, who run in this one process, would work it off at each other's cost.
 */
const WAYS = ['stock', 'enhanced'] as const;
type Way = (typeof WAYS)[number];

const CONNECTIONS = 10;
const PER_SECOND = 200;

interface Extent {
  readonly rounds: number;
  /** Of load before the fault. */
  readonly calmMs: number;
  /** Of load from the fault on, beyond what it lasts. */
  readonly afterMs: number;
  /** For those still unanswered when the load ends. */
  readonly graceMs: number;
}

const FULL: Extent = { rounds: 3, calmMs: 700, afterMs: 3_000, graceMs: 2_500 };
const QUICK: Extent = { rounds: 1, calmMs: 400, afterMs: 1_100, graceMs: 800 };

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
  seconds: { full: 215, quick: 40 },
  async run({ quick, only, time }: Effort): Promise<Findings> {
    say('(starting servers)');
    const stages = await setUpStages();
    try {
      const extent = quick ? QUICK : FULL;
      const peersOf = (fault: Fault) =>
        PEERS.filter((peer) => `${fault.name} ${peer.name}`.includes(only ?? ''));
      const wanted = FAULTS.filter(
        (fault) => peersOf(fault).length > 0 && (!quick || only !== undefined || fault.quick === true),
      );
      const rows: Row[] = [];
      for (const [done, fault] of wanted.entries()) {
        const endsAt = time.partOf(wanted.length - done);
        rows.push(...(await measure(fault, peersOf(fault), stages, extent, endsAt)));
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

async function measure(
  fault: Fault,
  peers: readonly Peer[],
  stages: Stages,
  extent: Extent,
  endsAt: number,
): Promise<Row[]> {
  const ways = WAYS.map((name) => ({ name }));
  const live = async ({ name: way }: (typeof ways)[number]) => {
    say(`${fault.name}, ${way}`);
    const outcomes = new Map<Peer, Outcome>();
    for (const together of fault.owes === true ? oneOfEachServer(peers) : [peers]) {
      const met = await badDay(fault, together, way, stages, extent);
      for (const [index, peer] of together.entries()) outcomes.set(peer, met[index]!);
    }
    return peers.map((peer) => outcomes.get(peer)!);
  };
  const days = await interleave(ways, extent.rounds, live, endsAt);
  return peers.map((peer, index) => {
    const of = (way: Way) => days[way]!.map((outcomes) => outcomes[index]!);
    return { fault, peer, rounds: { stock: of('stock'), enhanced: of('enhanced') } };
  });
}

function oneOfEachServer(peers: readonly Peer[]): Peer[][] {
  const turns: Peer[][] = [];
  for (const peer of peers) {
    const turn = turns.find((others) => others.every(({ server }) => server !== peer.server));
    if (turn === undefined) turns.push([peer]);
    else turn.push(peer);
  }
  return turns;
}

/** An application of one peer, and its wire to its server. */
interface Application {
  readonly peer: Peer;
  readonly client: Client;
  readonly proxy: TcpProxy;
}

/** The outcome for each peer. */
async function badDay(
  fault: Fault,
  peers: readonly Peer[],
  way: Way,
  stages: Stages,
  extent: Extent,
): Promise<Outcome[]> {
  const applications: Application[] = [];
  try {
    // One after the other: each loads a copy of its library.
    for (const peer of peers) applications.push(await start(fault, peer, way, stages[peer.server]));
    const servers = SERVERS.map((server) => applications.filter(({ peer }) => peer.server === server));
    const outcomes = await Promise.all(
      servers.map((of, index) => outage(fault, of, stages[SERVERS[index]!], extent)),
    );
    const byPeer = new Map(outcomes.flat());
    return peers.map((peer) => byPeer.get(peer)!);
  } finally {
    await Promise.all(applications.map(stop));
    await Promise.all(SERVERS.map((server) => stages[server].heal()));
  }
}

/** What the applications of one server saw of it. */
async function outage(
  fault: Fault,
  applications: readonly Application[],
  stage: Stage,
  { calmMs, afterMs, graceMs }: Extent,
): Promise<[Peer, Outcome][]> {
  if (applications.length === 0) return [];
  const lastsMs = calmMs + (fault.lastsMs ?? 0) + afterMs;
  const loads = applications.map(({ client }) => {
    const send = (index: number) => client.run(fault.sql(stage, index));
    const bursts = fault.burst === undefined ? undefined : burstEverySecond(fault.burst, send);
    return openLoop(evenly(PER_SECOND, lastsMs), graceMs, send).then((steady) => [
      ...steady,
      ...(bursts?.stop() ?? []),
    ]);
  });
  await sleep(calmMs);
  const faultAt = performance.now();
  await fault.strike(
    stage,
    applications.map(({ proxy }) => proxy),
  );
  const readyAt = performance.now();
  const requests = await Promise.all(loads);
  return applications.map(({ peer, proxy }, index) => [
    peer,
    outcomeOf(requests[index]!, proxy.attempts, faultAt, readyAt, fault.expects),
  ]);
}

async function start(
  { opened = CONNECTIONS }: Fault,
  peer: Peer,
  way: Way,
  stage: Stage,
): Promise<Application> {
  const proxy = await TcpProxy.before(stage.first.port);
  const client = await open(peer, way, stage, proxy);
  await Promise.all(Array.from({ length: opened }, () => client.run(stage.slowSql)));
  return { peer, client, proxy };
}

async function stop({ client, proxy }: Application): Promise<void> {
  // Stock waits for ever for whoever hangs.
  await Promise.race([client.close().catch(() => {}), sleep(500)]);
  await proxy.close();
}

function open(
  { server, file, way: entry }: Peer,
  way: Way,
  { database }: Stage,
  { port }: TcpProxy,
): Promise<Client> {
  const { modules, within } = ownCopy([require.resolve(`./peers/${file}.js`)]);
  const login = loginOf(
    PEERS.filter((peer) => peer.server === server).findIndex((peer) => peer.way === entry),
  );
  const address = { host: '127.0.0.1', port, ...login, database };
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
