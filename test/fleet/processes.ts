import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import { checkoutDirectory } from '../checkout.js';
import { type Database, startDatabases } from '../servers/index.js';
import { type Redis, startRedis } from '../servers/redis.js';
import type { Told } from './worker.js';

/** How a fleet is made. */
export interface FleetPlan {
  readonly processes: number;
  /** Each pool's own. */
  readonly max: number;
  /** Callers in each process. */
  readonly callers: number;
  /** How long each holds a connection, and waits before it wants one again, on the average. */
  readonly holdMs: number;
  readonly thinkMs: number;
  readonly budget: number;
  readonly leaseMs: number;
  /** Connections that the server grants to whoever comes. */
  readonly serverMax: number;
}

/** One process of the fleet, and the latest that it told. */
export class Worker {
  told: Told = { served: 0, failed: 0, errors: [], longestWaitMs: 0 };
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(environment: NodeJS.ProcessEnv, isOurs: boolean) {
    const register = join(checkoutDirectory(), 'dist/instrumentation/register.js');
    this.#child = fork(join(__dirname, 'worker.js'), {
      env: environment,
      execArgv: isOurs ? ['--require', register] : [],
    });
    this.#child.on('message', (told: Told) => {
      this.told = told;
    });
    this.#exited = once(this.#child, 'exit');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Lets its callers finish and closes its pool. */
  async finish(): Promise<void> {
    this.#child.send('finish');
    await this.#exited;
  }
}

/** Processes on a database server of their own, whose connections are counted all the while, and a Redis. */
export class ProcessFleet {
  readonly workers: Worker[] = [];
  readonly errors: string[] = [];
  served = 0;
  failed = 0;
  longestWaitMs = 0;
  most = 0;
  samples = 0;
  readonly redis: Redis;
  readonly #postgres: Database;
  readonly #plan: FleetPlan;
  readonly #isOurs: boolean;
  #isOver = false;
  #sampling: Promise<void>;

  static async start(plan: FleetPlan, { isOurs }: { isOurs: boolean }): Promise<ProcessFleet> {
    const [{ postgres }, redis] = await Promise.all([
      startDatabases({
        postgres: { settings: { max_connections: plan.serverMax, superuser_reserved_connections: 0 } },
      }),
      startRedis(),
    ]);
    const client = new pg.Client(postgres.url);
    await client.connect();
    return new ProcessFleet(plan, isOurs, postgres, redis, client);
  }

  private constructor(plan: FleetPlan, isOurs: boolean, postgres: Database, redis: Redis, client: pg.Client) {
    this.#plan = plan;
    this.#isOurs = isOurs;
    this.#postgres = postgres;
    this.redis = redis;
    this.#sampling = this.#sample(client);
  }

  /** Starts one more process. */
  launch(): Worker {
    const { processes, max, callers, holdMs, thinkMs, budget, leaseMs } = this.#plan;
    const environment = {
      ...process.env,
      FLEET_PG_URL: this.#postgres.url,
      FLEET_MAX: String(max),
      FLEET_CALLERS: String(callers),
      FLEET_HOLD_MS: String(holdMs),
      FLEET_THINK_MS: String(thinkMs),
      ENHANCED_POOL_FLEET: `maxConnections=${budget},members=${processes},leaseMs=${leaseMs}`,
      ENHANCED_POOL_FLEET_REDIS: this.redis.url,
    };
    const worker = new Worker(environment, this.#isOurs);
    this.workers.push(worker);
    return worker;
  }

  async kill(worker: Worker): Promise<void> {
    this.workers.splice(this.workers.indexOf(worker), 1);
    await worker.kill();
    this.#heed(worker);
  }

  /** Waits until every process has served so many more callers than now. */
  async everyoneServes(callers: number, withinMs = 60_000): Promise<void> {
    const goals = this.workers.map((worker) => [worker, worker.told.served + callers] as const);
    for (const until = performance.now() + withinMs; ; await pause(20)) {
      const late = goals.filter(([worker, goal]) => worker.told.served < goal);
      if (late.length === 0) return;
      if (performance.now() > until)
        throw new Error(`${late.length} of ${goals.length} processes are not served: ${this.problems()}`);
    }
  }

  /** Waits until every process has tried something. */
  async everyoneLives(withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    while (this.workers.some(({ told }) => told.served + told.failed === 0)) {
      if (performance.now() > until) throw new Error('some processes do not start');
      await pause(50);
    }
  }

  problems(): string {
    const all = this.workers.flatMap(({ told }) => told.errors);
    return [...new Set([...this.errors, ...all])].join('; ') || 'no errors';
  }

  /** How often the server had to turn somebody away. */
  refusals(): number {
    return this.#postgres.log().match(/FATAL: .*too many clients/g)?.length ?? 0;
  }

  /** All finish; then the servers end. */
  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.finish()));
    for (const worker of this.workers) this.#heed(worker);
    this.#isOver = true;
    await this.#sampling;
    await Promise.all([this.redis.stop(), this.#postgres.stop()]);
  }

  #heed({ told }: Worker): void {
    this.served += told.served;
    this.failed += told.failed;
    this.errors.push(...told.errors);
    this.longestWaitMs = Math.max(this.longestWaitMs, told.longestWaitMs);
  }

  /**
   * The view is no snapshot: while it is read one backend may go and another come, and both are in it. So what counts is who is there
   * in two readings: all those were, in between.
   */
  async #sample(client: pg.Client): Promise<void> {
    const read = async () => {
      const { rows } = await client.query<{ pid: number }>(`select pid from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()`);
      return rows.map(({ pid }) => pid);
    };
    while (!this.#isOver) {
      const first = await read();
      const second = new Set(await read());
      this.samples += 1;
      this.most = Math.max(this.most, first.filter((pid) => second.has(pid)).length);
      await pause(5);
    }
    await client.end();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
