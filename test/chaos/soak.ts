import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { seeded } from '../../bench/statistics.js';
import { TROUBLES, until, World, within } from './world.js';

/** Four at least: what is compiled and remembered grows for the first two. */
const MINUTES = Math.max(4, Number(process.env.SOAK_MINUTES ?? 10));
const SAMPLE_EVERY_MS = 3_000;
const CALLERS = 6;
const WARM_AFTER_MIN = 2;
/** Growth that no application would notice. What the process holds is the heap, and buffers, code and pages that the allocator keeps for later. */
const FLAT_KB_A_MINUTE = { heap: 50, rss: 200 } as const;
/** A slope is none while it is within so many standard errors of it. */
const ERRORS = 3;

/** What must not grow. */
interface Sample {
  readonly atMin: number;
  readonly heapKb: number;
  readonly rssKb: number;
  readonly handles: number;
  readonly timers: number;
  readonly listeners: number;
}

setFlagsFromString('--expose-gc');
// What the compiler keeps of hot code grows each time that it changes its mind, and is no object of ours.
for (const compiler of ['opt', 'maglev', 'sparkplug']) setFlagsFromString(`--no-${compiler}`);
const collect = runInNewContext('gc') as () => void;

describe(`a soak of ${MINUTES} minutes`, function () {
  this.timeout(MINUTES * 60_000 + 180_000);

  it('leaves memory, handles, timers and listeners as they were', async () => {
    const before = handles();
    const world = await World.begin(seeded(1));
    const samples: Sample[] = [];
    world.load(CALLERS, 3);
    const startedAt = performance.now();
    const restarts = ['restart', 'kill -9'] as const;
    for (let round = 0; performance.now() - startedAt < MINUTES * 60_000; round += 1) {
      // Connections come and go, not only statements.
      if (round % 10 === 9) await TROUBLES[restarts[(round / 10) & 1]!]!(world);
      await sleep(SAMPLE_EVERY_MS);
      await world.recovered();
      collect();
      samples.push(sampleOf(world, performance.now() - startedAt));
    }
    await world.end();
    await within(
      'a handle',
      until(() => handles() <= before),
    );
    collect();

    const warm = samples.filter(({ atMin }) => atMin > WARM_AFTER_MIN);
    const [heap, rss] = (['heapKb', 'rssKb'] as const).map((of) =>
      slopeOf(warm.map((it) => [it.atMin, it[of]])),
    );
    const middle = Math.floor(warm.length / 2);
    const most = (part: readonly Sample[], of: 'handles' | 'timers' | 'listeners') =>
      Math.max(...part.map((it) => it[of]));
    const [early, late] = [warm.slice(0, middle), warm.slice(middle)];
    const told = ({ slope, error }: Slope) => `${slope.toFixed(1)} ± ${error.toFixed(1)} kB a minute`;
    console.log(
      `      ${world.answered} answered; heap ${Math.round(warm[0]!.heapKb)} to ${Math.round(warm.at(-1)!.heapKb)} kB, ${told(heap!)}; ` +
        `RSS ${Math.round(warm[0]!.rssKb)} to ${Math.round(warm.at(-1)!.rssKb)} kB, ${told(rss!)}; ` +
        `timers ${most(early, 'timers')}, then ${most(late, 'timers')}; handles ${most(early, 'handles')}, then ${most(late, 'handles')}; ` +
        `listeners ${most(early, 'listeners')}, then ${most(late, 'listeners')}; ${before} handles before, ${handles()} after`,
    );
    expect(heap!.slope, 'heap, kB a minute').below(Math.max(FLAT_KB_A_MINUTE.heap, ERRORS * heap!.error));
    expect(rss!.slope, 'RSS, kB a minute').below(Math.max(FLAT_KB_A_MINUTE.rss, ERRORS * rss!.error));
    // Each caller pauses, and each pool has a timer: how many of them at once is chance.
    expect(most(late, 'timers')).most(most(early, 'timers') + CALLERS);
    expect(most(late, 'handles')).most(most(early, 'handles') + 2);
    expect(most(late, 'listeners')).most(most(early, 'listeners'));
  });
});

function sampleOf(world: World, elapsedMs: number): Sample {
  const emitters = world.subjects.flatMap((subject) => subject.emitters());
  const counts = [...emitters, process].map((emitter) =>
    emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0),
  );
  const { heapUsed, rss } = process.memoryUsage();
  return {
    atMin: elapsedMs / 60_000,
    heapKb: heapUsed / 1_024,
    rssKb: rss / 1_024,
    handles: handles(),
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    listeners: counts.reduce((sum, count) => sum + count, 0),
  };
}

/** Sockets, pipes and processes; timers come and go with every pause. */
function handles(): number {
  return process
    .getActiveResourcesInfo()
    .filter((name) => !/Timeout|Immediate|Request|TickObject/i.test(name)).length;
}

interface Slope {
  readonly slope: number;
  readonly error: number;
}

/** Least squares: how much a minute, and the standard error of that. */
function slopeOf(points: readonly (readonly [number, number])[]): Slope {
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  const slope = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
  const residual = points.reduce((sum, [at, value]) => sum + (value - y - slope * (at - x)) ** 2, 0);
  return { slope, error: Math.sqrt(residual / (points.length - 2) / spread) };
}
