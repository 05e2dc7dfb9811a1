import { startDatabases } from '../../test/servers/index.js';
import type { Goal } from '../goals.js';
import { figures, interleave, type Measure } from '../interleave.js';
import { say } from '../progress.js';
import { median, over, paired } from '../statistics.js';
import type { Effort, Findings, Suite } from '../suite.js';
import { figure, type Table } from '../table.js';
import { type Memory, Side } from './side.js';
import { COMPARED, MAX, setUp } from './suite.js';
import { CROWDS } from './workloads.js';

interface Extent {
  readonly rounds: number;
  readonly loadMs: number;
}

const FULL: Extent = { rounds: 5, loadMs: 3_000 };
const QUICK: Extent = { rounds: 2, loadMs: 700 };

const MIB = 2 ** 20;

/** V8 doubles its young generation up to here while it is kept busy: without this, seconds of load measure how soon it does. */
const AS_AFTER_MINUTES = ['--min-semi-space-size=16'];

const [STOCK, ENHANCED] = COMPARED.map(({ name }) => name) as [string, string];

type Memories = Readonly<Record<string, readonly Memory[]>>;

export const memory: Suite = {
  name: 'memory',
  question: 'What does a process under full load hold in memory?',
  seconds: { full: 40, quick: 10 },
  async run({ quick, time }: Effort): Promise<Findings> {
    say('(starting servers)');
    const databases = await startDatabases({ postgres: true, mysql: true });
    try {
      const found: Record<string, Memories> = {};
      for (const [done, workload] of CROWDS.entries()) {
        await setUp(databases, workload);
        found[workload.name] = await weigh(
          workload.name,
          databases.postgres,
          quick ? QUICK : FULL,
          time.partOf(CROWDS.length - done),
        );
      }
      return {
        tables: Object.entries(found).map(([workload, memories]) => tableOf(workload, memories)),
        goals: Object.entries(found).flatMap(([workload, memories]) => goalsOf(workload, memories)),
        samples: found,
      };
    } finally {
      await databases.stop();
    }
  },
};

/** A new process for every sample: what was the most that one ever had is not to be had twice. */
function weigh(
  workload: string,
  address: Parameters<typeof Side.start>[0]['address'],
  { rounds, loadMs }: Extent,
  endsAt: number,
): Promise<Memories> {
  const live = ({ name, flags }: (typeof COMPARED)[number]) => {
    say(`${workload}, ${name}`);
    const [side] = Side.start({ workload, address, peers: [{ name, max: MAX, flags }] }, AS_AFTER_MINUTES);
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
      'metrics SDK with a reader that collects every second. Both begin with the young generation that V8 gives a process after minutes of load',
  };
}

function goalsOf(workload: string, memories: Memories): Goal[] {
  const ratio = (what: Measure<Memory>) =>
    paired(figures(memories, ENHANCED, what), figures(memories, STOCK, what), over);
  return [
    { claim: `${workload}: heap over stock`, unit: '×', atMost: 1.1, values: ratio('heapBytes') },
    { claim: `${workload}: peak RSS over stock`, unit: '×', atMost: 1.1, values: ratio('peakRssBytes') },
  ];
}
