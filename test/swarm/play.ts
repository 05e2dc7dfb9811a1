import { createPool, type Hint, type Lease, type Observer, type Pool, SharedLease } from '../../src/index.js';
import { type FakeConnection, FakeDriver, type Reply } from '../simulation/fake-driver.js';
import { settle, VirtualRuntime } from '../simulation/virtual-runtime.js';
import { type Happening, QUIET_AFTER_MS, type Script } from './script.js';

/** After the faults are over, every breaker has closed and every caller was told within so long. */
const RECOVERY_MS = 60_000;
/** Connections asked for in any one second by a pool whose server refuses them, at most, for each it may have. */
const ATTEMPTS_PER_SECOND = 4;
const LEAST_ATTEMPTS = 20;

type Call = Extract<Happening, { kind: 'call' }>;
type Log = (atMs: number, what: string) => void;

/** Plays a script to its end. Throws what is wrong; `log` is told everything that happens. */
export async function play(script: Script, log: Log = () => {}): Promise<void> {
  await new World(script, log).live();
}

/** A pool, a server with a knee and bad days, and callers, on one virtual clock. */
class World {
  readonly #script: Script;
  readonly #runtime: VirtualRuntime;
  readonly #driver: FakeDriver;
  readonly #pool: Pool<FakeConnection>;
  readonly #log: (what: string) => void;
  readonly #owners = new Map<FakeConnection, Set<Lease<FakeConnection>>>();
  readonly #attempts: number[] = [];
  readonly #leaked: Lease<FakeConnection>[] = [];
  #atWork = 0;
  #unsettled = 0;
  /** What a caller found wrong. */
  #wrong: unknown = undefined;
  #downUntil = 0;
  #slowOpens = { untilMs: 0, openMs: 0 };
  #full = { untilMs: 0, limit: Number.POSITIVE_INFINITY };

  constructor(script: Script, log: Log) {
    this.#script = script;
    this.#runtime = new VirtualRuntime(script.seed);
    this.#log = (what) => log(this.#runtime.now(), what);
    this.#driver = new FakeDriver(this.#runtime);
    this.#driver.onOpen = () => this.#openReply();
    this.#driver.onCheck = () => ({ afterMs: 1, ends: this.#isDown ? 'badly' : 'well' });
    this.#driver.onReset = () => ({ afterMs: 1, ends: this.#runtime.random() < 0.1 ? 'badly' : 'well' });
    this.#driver.onClose = () => ({ afterMs: 1, ends: this.#runtime.random() < 0.02 ? 'never' : 'well' });
    if (script.warms) this.#driver.onWarm = () => this.#warmReply();
    this.#pool = createPool({
      driver: this.#driver,
      runtime: this.#runtime,
      options: script.options,
      flags: script.flags,
      classifyError: patternOf,
      observer: this.#observer(),
    });
  }

  async live(): Promise<void> {
    for (const happening of this.#script.happenings) {
      await this.#runtime.advance(Math.max(0, happening.atMs - this.#runtime.now()));
      this.#bringAbout(happening);
      await settle();
      this.#expectConsistent();
    }
    await this.#recover();
    await this.#end();
  }

  #bringAbout(happening: Happening): void {
    const now = this.#runtime.now();
    if (happening.kind !== 'call') this.#log(`fault: ${JSON.stringify(happening)}`);
    if (happening.kind === 'call') this.#call(happening);
    else if (happening.kind === 'down') {
      this.#downUntil = Math.max(this.#downUntil, now + happening.forMs);
      this.#kill(1);
    } else if (happening.kind === 'slow opens') {
      this.#slowOpens = { untilMs: now + happening.forMs, openMs: happening.openMs };
    } else if (happening.kind === 'full') {
      this.#full = { untilMs: now + happening.forMs, limit: happening.limit };
    } else if (happening.kind === 'kill') this.#kill(happening.share);
    else if (happening.kind === 'stall') this.#runtime.stall(happening.forMs);
    else if (happening.kind === 'isolate') {
      this.#pool.isolate(happening);
      this.#runtime.schedule(happening.forMs, () => this.#pool.reset());
    } else this.#pool.resize({ max: happening.max, min: happening.min });
  }

  #call(call: Call): void {
    if (call.shares === true) {
      const lease = this.#pool.tryShare(Math.min(call.workMs, 1));
      if (lease !== undefined) return this.#work(call, lease);
    }
    this.#unsettled += 1;
    const abort = new AbortController();
    const hint: Hint = {
      sql: call.sql,
      dialect: 'postgresql',
      signal: abort.signal,
      ...(call.deadlineMs === undefined ? {} : { deadlineMs: call.deadlineMs }),
    };
    if (call.abortAfterMs !== undefined) this.#runtime.schedule(call.abortAfterMs, () => abort.abort());
    let settled = false;
    const once = () => {
      must(settled, false, 'an acquire settles once');
      settled = true;
      this.#unsettled -= 1;
    };
    this.#pool
      .acquire(hint)
      .then(
        (lease) => {
          once();
          this.#work(call, lease);
        },
        (error: Error) => {
          once();
          this.#log(`told: ${error.message}`);
        },
      )
      .catch((wrong: unknown) => {
        this.#wrong ??= wrong;
      });
  }

  /** Each takes longer, the more are at work beyond the knee. */
  #work(call: Call, lease: Lease<FakeConnection>): void {
    const { connection } = lease;
    const owners = this.#owners.get(connection) ?? new Set();
    for (const owner of owners) {
      must(owner instanceof SharedLease && lease instanceof SharedLease, true, 'one owner, or sharers');
    }
    must(connection.closed, false, 'a leased connection is open');
    owners.add(lease);
    this.#owners.set(connection, owners);
    this.#atWork += 1;
    const takesMs = call.workMs * Math.max(1, this.#atWork / this.#script.knee);
    if (call.ends === 'leaked' && !(lease instanceof SharedLease)) {
      this.#leaked.push(lease);
      this.#atWork -= 1;
      return;
    }
    if (call.nests === true) this.#call({ ...call, nests: false, shares: false, deadlineMs: 100 });
    this.#runtime.schedule(takesMs, () => this.#done(call, lease, owners));
  }

  #done(call: Call, lease: Lease<FakeConnection>, owners: Set<Lease<FakeConnection>>): void {
    const { connection } = lease;
    this.#atWork -= 1;
    owners.delete(lease);
    if (connection.broken) this.#pool.heed(new Error('connection lost'), connection);
    connection.dirty = call.ends === 'dirty' && !(lease instanceof SharedLease);
    const outcome = connection.broken ? 'broken' : call.ends === 'ok' ? 'ok' : 'failed';
    must(lease.release(outcome), true, 'the first release counts');
    must(lease.release(), false, 'the second does not');
  }

  #kill(share: number): void {
    for (const connection of this.#driver.live) {
      if (this.#runtime.random() < share) connection.broken = true;
    }
  }

  get #isDown(): boolean {
    return this.#runtime.now() < this.#downUntil;
  }

  #openReply() {
    const now = this.#runtime.now();
    this.#attempts.push(now);
    const afterMs = now < this.#slowOpens.untilMs ? this.#slowOpens.openMs : this.#script.openMs;
    const isFull = now < this.#full.untilMs && this.#driver.live.size >= this.#full.limit;
    return { afterMs, ends: this.#isDown || isFull ? ('badly' as const) : ('well' as const) };
  }

  #warmReply(): Reply {
    return { afterMs: 20 * this.#runtime.random(), ends: this.#runtime.random() < 0.9 ? 'well' : 'never' };
  }

  /** The faults are over. */
  async #recover(): Promise<void> {
    const end = this.#script.happenings.at(-1)?.atMs ?? 0;
    await this.#runtime.advance(Math.max(0, Math.max(end, QUIET_AFTER_MS) - this.#runtime.now()));
    for (let waitedMs = 0; waitedMs < RECOVERY_MS; waitedMs += 500) {
      // What is never given back keeps the others waiting for ever, as it should.
      for (const lease of this.#leaked.splice(0)) lease.release('broken');
      if (this.#unsettled === 0 && this.#atWork === 0) break;
      await this.#runtime.advance(500);
    }
    must(this.#unsettled, 0, `callers left untold ${RECOVERY_MS} ms after the last fault`);
    // A breaker closes by what is served.
    for (
      let waitedMs = 0;
      this.#pool.stats().circuit !== 'closed' && waitedMs < RECOVERY_MS;
      waitedMs += 50
    ) {
      this.#call({ atMs: 0, kind: 'call', workMs: 1, sql: 'SELECT 1', ends: 'ok' });
      await this.#runtime.advance(50);
    }
    must(this.#pool.stats().circuit, 'closed', 'the circuit after the faults');
    this.#expectFewAttempts();
  }

  async #end(): Promise<void> {
    let drained = false;
    void this.#pool.drain({ deadlineMs: 1_000 }).then(() => {
      drained = true;
    });
    await this.#runtime.advance(5_000);
    this.#expectConsistent();
    must(drained, true, 'drained');
    const { open, closing, waiting } = this.#pool.stats();
    must(open + closing + waiting, 0, 'connections and waiters left');
    must(this.#driver.live.size, 0, 'connections left open');
    await this.#runtime.advance(10_000);
    must(this.#runtime.outstanding, 0, 'timers left');
    must(this.#runtime.keptAlive, 0, 'what keeps the process alive');
  }

  #expectConsistent(): void {
    if (this.#wrong !== undefined) throw this.#wrong;
    const { open, idle, leased, checking, warming, stale, opening, waiting } = this.#pool.stats();
    must(open, idle + leased + checking + warming + stale + opening, 'open is the sum of its parts');
    must(waiting, this.#unsettled, 'the queue holds all who are unsettled');
  }

  /** No storm where the breaker acts all the time: while the server is down there are few openings in any second. */
  #expectFewAttempts(): void {
    const { breaker, errorClassify } = this.#script.flags;
    if (breaker !== 'on' || errorClassify !== 'on') return;
    if (!this.#script.happenings.some(({ kind }) => kind === 'down')) return;
    const most = Math.max(LEAST_ATTEMPTS, ATTEMPTS_PER_SECOND * Math.max(this.#script.options.max, 12));
    let from = 0;
    for (const [index, at] of this.#attempts.entries()) {
      while (at - this.#attempts[from]! > 1_000) from += 1;
      if (at < this.#downUntil) must(index - from < most, true, `fewer than ${most} attempts in a second`);
    }
  }

  #observer(): Observer<FakeConnection> {
    return {
      onQueued: () => this.#log('a caller waits'),
      onOpening: ({ id }) => {
        this.#log(`connection ${id} opens`);
        const { open, closing, max } = this.#pool.stats();
        // What an observer throws is silenced.
        if (open + closing > max)
          this.#wrong ??= new Error(`opened above max: ${open} + ${closing} of ${max}`);
      },
      onOpenFailed: ({ id }, _, error) => this.#log(`connection ${id} fails: ${(error as Error).message}`),
      onClosed: ({ id }, reason) => this.#log(`connection ${id} closed: ${reason}`),
      onCircuitChanged: ({ from, to }) => this.#log(`circuit: ${from} → ${to}`),
      onFlagChanged: ({ name, from, to, reason }) => this.#log(`flag ${name}: ${from} → ${to}, ${reason}`),
      onResized: (from, to, reason) => this.#log(`limit: ${from} → ${to}, ${reason}`),
      onLeakSuspected: ({ id }) => this.#log(`connection ${id} seems forgotten`),
    };
  }
}

function patternOf(error: unknown): 'refused' | undefined {
  return (error as Error).message === 'connect refused' ? 'refused' : undefined;
}

function must(actual: unknown, wanted: unknown, what: string): void {
  if (actual !== wanted) throw new Error(`${what}: expected ${wanted}, got ${actual}`);
}
