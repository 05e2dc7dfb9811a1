// npm run demo [-- --quick]: an ordinary application on the enhanced engine, beside the same on its stock pools.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Collector, type ToldSpan } from './collector.js';
import { countedBetween, DemoDatabases } from './databases.js';
import { watch } from './live-table.js';
import { type Arrival, type Phase, POOLS, planPhases, warmUp } from './phases.js';
import { bold, Screen } from './screen.js';
import { commandFor, type ForEachKind, forEachKind, KINDS, type Kind, Service } from './service.js';
import {
  comparisonLines,
  complaintLines,
  failuresInPeace,
  latenessMs,
  type PlayedPhase,
  spanLines,
} from './summary.js';
import { type Experiences, newExperiences, send } from './traffic.js';

/** Until the last of a phase's telemetry has come. */
const TELEMETRY_LAG_MS = 600;

const WARM_UP_MS = 1_500;
const DOUBTFUL_LATENESS_MS = 10;

const screen = new Screen();
const interruption = new AbortController();

async function main(): Promise<void> {
  const quick = parseArguments();
  screen.say(bold('An orders service on enhanced connection pools'));
  screen.say(
    'It uses pg for orders, mysql2 for the catalogue and knex for reports: examples/demo/application.ts. Not a line of it knows of this package.\n',
  );
  screen.say('Starting a private PostgreSQL and a private MariaDB, or using those of PG_URL and MYSQL_URL …');
  const databases = await DemoDatabases.start();
  try {
    const phases = planPhases({ quick, withOutage: databases.postgres.owned });
    if (!databases.postgres.owned)
      screen.say('PG_URL is not ours to break, so the restart of PostgreSQL is left out.');
    const playSeconds =
      phases.reduce((sum, { durationMs }) => sum + durationMs + TELEMETRY_LAG_MS, WARM_UP_MS) / 1_000;
    screen.say(`They run. The play takes ${Math.round(playSeconds)} s; Ctrl-C ends it at any time.\n`);
    conclude(await play(phases, databases));
  } finally {
    await databases.stop();
  }
}

function parseArguments(): boolean {
  const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
  return values.quick;
}

interface Run {
  readonly phases: PlayedPhase[];
  readonly spans: readonly ToldSpan[];
  /** Whether OpenTelemetry told of every pool's opened connections, as only enhanced pools do. */
  readonly toldOfAll: boolean;
}

/** An application at work, and where its telemetry goes. */
interface Side {
  readonly service: Service;
  readonly collector: Collector;
}

async function play(phases: readonly Phase[], databases: DemoDatabases): Promise<Run> {
  screen.say('The application starts, its pools enhanced by one option:');
  screen.print([`  $ ${commandFor('enhanced')}`]);
  screen.say('and beside it, on the same servers and with the same traffic, on its stock pools:');
  screen.print([`  $ ${commandFor('stock')}`]);
  explainNumbers();

  const crash = new AbortController();
  const signal = AbortSignal.any([interruption.signal, crash.signal]);
  const started: Side[] = [];
  const start = async (kind: Kind): Promise<Side> => {
    const collector = await Collector.start();
    const environment = {
      ...databases.environmentFor(kind),
      ...collector.environment,
      // Only enhanced pools have one; the address is the application's own word.
      ENHANCED_POOL_CONSOLE: 'true',
    };
    const service = await Service.start(
      kind,
      environment,
      (error) => crash.abort(error),
      (address) => screen.say(`\nIts pools, live, in your browser: ${address}`),
    );
    started.push({ service, collector });
    return { service, collector };
  };
  try {
    const sides = { enhanced: await start('enhanced'), stock: await start('stock') };
    // Code that has not run yet is slow, whatever its pools.
    await sendToAll(warmUp(WARM_UP_MS), sides, forEachKind(newExperiences), signal);
    const played: PlayedPhase[] = [];
    for (const [index, phase] of phases.entries()) {
      screen.say(`\n${phase.story}`);
      played.push(await playPhase(phase, `${index + 1} of ${phases.length}`, sides, databases, signal));
      screen.keep();
    }
    const { pools, spans } = sides.enhanced.collector;
    return {
      phases: played,
      spans,
      toldOfAll: POOLS.every((pool) => pools.get(pool)?.created !== undefined),
    };
  } catch (error) {
    throw crash.signal.aborted ? crash.signal.reason : error;
  } finally {
    await Promise.all(started.map(({ service }) => service.stop()));
    for (const { collector } of started) collector.stop();
  }
}

function explainNumbers(): void {
  screen.say(
    '\nThe numbers are OpenTelemetry’s: each application’s own SDK sends them here by OTLP, and a dash is what nobody tells. Wait, created and errors count from the beginning of a phase.',
  );
  if (!screen.live) {
    screen.say(
      'Each line is of the enhanced pools: connections open/idle, callers waiting, p99 of the wait in ms.',
    );
  }
}

async function playPhase(
  phase: Phase,
  position: string,
  sides: ForEachKind<Side>,
  databases: DemoDatabases,
  signal: AbortSignal,
): Promise<PlayedPhase> {
  const before = await databases.connectionCounts();
  const experiences = forEachKind(newExperiences);
  for (const kind of KINDS) sides[kind].collector.beginPhase();
  const stopWatching = watch(screen, {
    phase,
    position,
    sides: forEachKind((kind) => ({ collector: sides[kind].collector, experiences: experiences[kind] })),
  });
  try {
    await Promise.all([
      sendToAll(phase.arrivals, sides, experiences, signal),
      sleep(phase.durationMs, undefined, { signal }),
      phase.outage && databases.takeAway(phase.outage, signal),
    ]);
    await sleep(TELEMETRY_LAG_MS, undefined, { signal });
  } finally {
    stopWatching();
  }
  const after = await databases.connectionCounts();
  const seen = forEachKind((kind) => ({
    experiences: experiences[kind],
    connections: countedBetween(before[kind], after[kind]),
  }));
  return { phase, seen };
}

function sendToAll(
  arrivals: readonly Arrival[],
  sides: ForEachKind<Side>,
  experiences: ForEachKind<Experiences>,
  signal: AbortSignal,
): Promise<void> {
  const targets = KINDS.map((kind) => ({
    origin: sides[kind].service.origin,
    experiences: experiences[kind],
  }));
  return send(arrivals, targets, signal);
}

function conclude({ phases, spans, toldOfAll }: Run): void {
  screen.say(`\n${bold('What the clients saw')}`);
  screen.say(
    'Latency in ms of the requests that succeeded, from when each was meant to be sent; “new” are connections opened, by the servers’ own count.\n',
  );
  screen.print(comparisonLines(phases));

  const lateMs = latenessMs(phases);
  if (lateMs > DOUBTFUL_LATENESS_MS) {
    screen.say(
      `\nThis machine was busy with other things: one request in a hundred was sent ${Math.round(lateMs)} ms late or later, so latencies of that order say little here.`,
    );
  }

  for (const kind of KINDS) {
    const complaints = complaintLines(phases, kind);
    if (complaints.length > 0)
      screen.print(['', `Failures on ${kind} pools, in the application’s words:`, ...complaints]);
  }

  screen.say(`\n${bold('Why: what the enhanced pools decided, by the spans that OpenTelemetry got')}\n`);
  screen.print(spanLines(spans));

  screen.say(`\n${bold('More')}`);
  screen.print([
    '  in your project  -r opentelemetry-instrumentation-enhanced-pool/register',
    '  in your code     examples/*-quickstart.ts, for pg, mysql2 and knex',
    '  what it costs    npm run bench -- acquire',
    '  its options      README.md',
  ]);

  if (!toldOfAll) {
    throw new Error(
      'not every pool ran on the engine: OpenTelemetry got no numbers of it. Is ENHANCED_POOL_ENABLED set?',
    );
  }
  const failed = forEachKind((kind) => failuresInPeace(phases, kind));
  if (failed.enhanced > failed.stock) {
    throw new Error(
      `while all servers were up, ${failed.enhanced} requests failed on the enhanced pools and ${failed.stock} on the stock ones`,
    );
  }
}

// Ended by a signal, we leave at once: our 'exit' takes the application and the servers along.
for (const [name, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(name, () => {
    interruption.abort();
    screen.keep();
    process.exit(code);
  });
}

main().catch((error: unknown) => {
  screen.keep();
  console.error(`\ndemo: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
