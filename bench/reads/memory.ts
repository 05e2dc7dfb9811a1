import { startDatabases } from '../../test/servers/index.js';
import type { Goal } from '../goals.js';
import { figures, interleave, type Measure } from '../interleave.js';
import { say } from '../progress.js';
import { median, over, paired } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { figure, type Table } from '../table.js';
import { type Memory, Side } from './side.js';
import { COMPARED, MAX, setUp } from './suite.js';
import { CROWDS, type Workload } from './workloads.js';

interface Extent {
  readonly rounds: number;
  readonly loadMs: number;
}

const FULL: Extent = { rounds: 5, loadMs: 3_000 };
const QUICK: Extent = { rounds: 1, loadMs: 700 };

const MIB = 2 ** 20;

/** V8 doubles its young generation up to here while it is kept busy: without this, seconds of load measure how soon it does. */
const AS_AFTER_MINUTES = ['--min-semi-space-size=16'];

const [STOCK, ENHANCED] = COMPARED.map(({ name }) => name) as [string, string];

/** A load, and what stands around the pool: next to nothing, or OpenTelemetry as the README sets it up. */
interface Case {
  readonly title: string;
  readonly workload: Workload;
  readonly nodeSdk: boolean;
}

const CASES: readonly Case[] = [
  ...CROWDS.map((workload) => ({ title: workload.name, workload, nodeSdk: false })),
  ...CROWDS.slice(-1).map((workload) => ({
    title: `${workload.name}, Node SDK`,
    workload,
    nodeSdk: true,
  })),
];

type Memories = Readonly<Record<string, readonly Memory[]>>;

export const memory: Suite = {
  name: 'memory',
  question: 'What does a process under full load hold in memory?',
  seconds: { full: 55, quick: 13 },
  async run({ quick, time }: Effort): Promise<Findings> {
    say('(starting servers)');
    const databases = await startDatabases({ postgres: true, mysql: true });
    try {
      const found: Record<string, Memories> = {};
      for (const [done, each] of CASES.entries()) {
        await setUp(databases, each.workload);
        found[each.title] = await weigh(
          each,
          databases.postgres,
          quick ? QUICK : FULL,
          time.partOf(CASES.length - done),
        );
      }
      return {
        tables: Object.entries(found).map(([title, memories]) => tableOf(title, memories)),
        goals: Object.entries(found).flatMap(([title, memories]) => goalsOf(title, memories)),
        samples: found,
      };
    } finally {
      await databases.stop();
    }
  },
};

/** A new process for every sample: what was the most that one ever had is not to be had twice. */
function weigh(
  { title, workload: { name: workload }, nodeSdk }: Case,
  address: Parameters<typeof Side.start>[0]['address'],
  { rounds, loadMs }: Extent,
  endsAt: number,
): Promise<Memories> {
  const live = ({ name, flags }: (typeof COMPARED)[number]) => {
    say(`${title}, ${name}`);
    const part = { workload, address, peers: [{ name, max: MAX, flags }], nodeSdk };
    const [side] = Side.start(part, AS_AFTER_MINUTES);
    return side!.memory(loadMs).finally(() => side!.stop());
  };
  return interleave(COMPARED, rounds, live, endsAt);
}

function tableOf(title: string, memories: Memories): Table {
  const megabytes = (name: string, what: Measure<Memory>) =>
    figure(median(figures(memories, name, what)) / MIB);
  return {
    title: `${title}, max ${MAX}`,
    columns: ['', 'heap MiB', 'peak RSS MiB'],
    rows: [STOCK, ENHANCED].map((name) => [
      name,
      megabytes(name, 'heapBytes'),
      megabytes(name, 'peakRssBytes'),
    ]),
    note:
      "heap: used right after a collection while the load stands. Both hold the same small application: pg, this load, and OpenTelemetry's " +
      'metrics SDK with a reader that collects every second; "Node SDK": the whole SDK, started as the README says. Both begin with ten callers, and with the young generation that V8 gives a process after minutes of load',
  };
}

function goalsOf(title: string, memories: Memories): Goal[] {
  const ratio = (what: Measure<Memory>) =>
    paired(figures(memories, ENHANCED, what), figures(memories, STOCK, what), over);
  return [
    { claim: `${title}: heap over stock`, unit: '×', atMost: 1.1, values: ratio('heapBytes') },
    { claim: `${title}: peak RSS over stock`, unit: '×', atMost: 1.1, values: ratio('peakRssBytes') },
  ];
}
