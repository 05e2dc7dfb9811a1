// npm run test:fleet: 50 processes that may each have 20 connections, on a server that grants 100; to ours, with a budget of 90, it grants
// those and one more, to whoever counts them, so that it refuses what is above the budget for a moment, too.
import { type FleetPlan, ProcessFleet, pause } from './processes.js';

const LEASE_MS = 5_000;
const PLAN: FleetPlan = {
  processes: 50,
  max: 20,
  callers: 20,
  holdMs: 200,
  thinkMs: 400,
  budget: 90,
  leaseMs: LEASE_MS,
  serverMax: 91,
};
const STOCK_SERVER_MAX = 100;
const START_MS = 300_000;

async function stock(): Promise<boolean> {
  const fleet = await launched(false);
  await fleet.everyoneLives(START_MS);
  await pause(10_000);
  const refusals = fleet.refusals();
  await fleet.stop();
  tell('stock', fleet, refusals);
  return fleet.failed > 0 && refusals > 0;
}

/** Whether all went well. */
async function ours(): Promise<boolean> {
  const fleet = await launched(true);
  const phase = async (name: string, work: () => Promise<unknown>) => {
    fleet.most = 0;
    const began = performance.now();
    await work();
    await fleet.everyoneServes(3, START_MS);
    const seconds = ((performance.now() - began) / 1_000).toFixed(0);
    console.log(
      `  ${name.padEnd(58)} ${seconds.padStart(4)} s   at most ${fleet.most} connections, ${fleet.problems()}`,
    );
    return fleet.most <= PLAN.budget;
  };
  const { redis, workers } = fleet;
  const results = [
    await phase('all start at once', () => pause(2 * LEASE_MS)),
    await phase('Redis is killed, and away for three leases', async () => {
      await redis.halt({ mode: 'kill' });
      await pause(3 * LEASE_MS);
    }),
    await phase('Redis returns, and has forgotten everything', async () => {
      await redis.resume();
      await pause(2 * LEASE_MS);
    }),
    await phase('ten processes stand still for two leases', async () => {
      for (const worker of workers.slice(0, 10)) worker.signal('SIGSTOP');
      await pause(2 * LEASE_MS);
      for (const worker of workers.slice(0, 10)) worker.signal('SIGCONT');
    }),
    await phase('ten processes are killed, and ten others start', async () => {
      await Promise.all(workers.slice(10, 20).map((worker) => fleet.kill(worker)));
      for (let count = 0; count < 10; count += 1) fleet.launch();
      await pause(2 * LEASE_MS);
    }),
    await phase('all are killed, and start again at once', async () => {
      await Promise.all([...workers].map((worker) => fleet.kill(worker)));
      for (let count = 0; count < PLAN.processes; count += 1) fleet.launch();
    }),
  ];
  const refusals = fleet.refusals();
  await fleet.stop();
  tell('ours', fleet, refusals);
  return results.every((isWell) => isWell) && fleet.errors.length === 0 && refusals === 0;
}

async function launched(isOurs: boolean): Promise<ProcessFleet> {
  const plan = isOurs ? PLAN : { ...PLAN, serverMax: STOCK_SERVER_MAX };
  const { processes, callers, max, budget, serverMax } = plan;
  console.log(
    `${isOurs ? `ours, with a budget of ${budget}` : 'stock'}: ${processes} processes, each with ${callers} callers and max ${max}; max_connections = ${serverMax}`,
  );
  const fleet = await ProcessFleet.start(plan, { isOurs });
  for (let count = 0; count < processes; count += 1) fleet.launch();
  return fleet;
}

function tell(name: string, fleet: ProcessFleet, refusals: number): void {
  const errors = [...new Set(fleet.errors)].join('; ') || 'none';
  console.log(
    `${name}: ${fleet.served} served, ${fleet.failed} failed, the server refused ${refusals} connections, ${fleet.samples} samples, longest wait ${Math.round(fleet.longestWaitMs)} ms; errors: ${errors}`,
  );
}

async function main(): Promise<void> {
  const isStockAsExpected = await stock();
  const isOursWell = await ours();
  console.log(
    isStockAsExpected ? 'stock failed callers, as expected' : 'stock failed nobody: this run proves nothing',
  );
  console.log(isOursWell ? 'ours served everybody within the budget' : 'ours did NOT');
  process.exitCode = isStockAsExpected && isOursWell ? 0 : 1;
}

main();
