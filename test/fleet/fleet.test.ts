import { expect } from 'chai';
import { type FleetPlan, ProcessFleet, pause } from './processes.js';

const LEASE_MS = 1_500;
const PLAN: FleetPlan = {
  processes: 6,
  max: 5,
  callers: 6,
  holdMs: 5,
  thinkMs: 50,
  budget: 12,
  leaseMs: LEASE_MS,
  // Room for the budget, and for the one who counts.
  serverMax: 13,
};

describe('processes that share a budget', function () {
  this.timeout(120_000);
  let fleet: ProcessFleet | undefined;

  afterEach(async () => {
    await fleet?.stop();
    fleet = undefined;
  });

  it('serve all their callers and never exceed it, while Redis dies and returns, processes freeze, die and start', async () => {
    fleet = await ProcessFleet.start(PLAN, { isOurs: true });
    for (let count = 0; count < PLAN.processes; count += 1) fleet.launch();
    await fleet.everyoneServes(10);
    await fleet.redis.halt({ mode: 'kill' });
    await pause(2.5 * LEASE_MS);
    await fleet.everyoneServes(10);
    await fleet.redis.resume();
    await pause(1.5 * LEASE_MS);
    await fleet.everyoneServes(10);
    const [frozen, dying] = fleet.workers;
    frozen!.signal('SIGSTOP');
    await pause(2.5 * LEASE_MS);
    frozen!.signal('SIGCONT');
    await fleet.kill(dying!);
    fleet.launch();
    await fleet.everyoneServes(10);
    expect(fleet.problems()).equal('no errors');
    expect(fleet.refusals(), 'connections that the server refused').equal(0);
    expect(fleet.most, 'connections at any sample').most(PLAN.budget);
    // Or it would prove nothing: more than all of them have to themselves.
    expect(fleet.most).greaterThan(PLAN.processes);
    expect(fleet.samples).greaterThan(100);
  });
});
