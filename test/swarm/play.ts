import { FAILURES } from '../../src/health/failure.js';
import { createPool, type Hint, type Lease, type Observer, type Pool, SharedLease } from '../../src/index.js';
import type { FakeConnection, Reply } from '../simulation/fake-driver.js';
import { mostWithin } from '../simulation/most-within.js';
import { settle, VirtualRuntime } from '../simulation/virtual-runtime.js';
import { type Happening, QUIET_AFTER_MS, type Script } from './script.js';
import { connectionLost, SwarmDriver } from './server.js';

/** After the faults are over, every breaker has closed and every caller was told within so long. */
const RECOVERY_MS = 60_000;
/** Connections asked for in any one second by a pool whose server refuses them, at most, for each it may have. */
const ATTEMPTS_PER_SECOND = 4;
const LEAST_ATTEMPTS = 20;
/** The circuit lets no two probes begin sooner after each other. */
const PROBE_EVERY_MS = 150;
/** Openings that a full server refuses in any one second: those on their way when it became full, twice, for it may get fuller, and probes. */
const mostRefused = (max: number) => 2 * max + 1_000 / PROBE_EVERY_MS;
/** So long after the name of its server has come to lead elsewhere a pool in use has no connection of before: answers, proof and rotation. */
const MOVED_MS = 300_000;

/** PostgreSQL's code of a server that has no connection to spare. */
const TOO_MANY = '53300';

type Call = Extract<Happening, { kind: 'call' }>;
type Log = (atMs: number, what: string) => void;

/** What came about in a run. */
export interface Reached {
  /** Connections cut on the server's word, or given up because their checks were. */
  readonly severed: number;
  /** Those that were replaced because they led astray. */
  readonly moved: number;
  readonly lookUps: number;
  /** Openings that the server had no room for, and by how much the pool kept below its maximum then, at the most. */
  readonly refused: number;
  readonly heldBelow: number;
  /** Leases of another connection than the newest, for what it had prepared. */
  readonly byStatement: number;
  /** Checks of connections that nobody may have without. */
  readonly doubted: number;
}

/** Plays a script to its end. Throws what is wrong; `log` is told everything that happens. */
export async function play(script: Script, log: Log = () => {}): Promise<Reached> {
  const world = new World(script, log);
  await world.live();
  return world.reached;
}

/** A pool, a server with a knee and bad days, and callers, on one virtual clock. */
class World {
  readonly #script: Script;
  readonly #runtime: VirtualRuntime;
  readonly #driver: SwarmDriver;
  readonly #pool: Pool<FakeConnection>;
  readonly #log: (what: string) => void;
  readonly #owners = new Map<FakeConnection, Set<Lease<FakeConnection>>>();
  readonly #attempts: number[] = [];
  readonly #leaked: Lease<FakeConnection>[] = [];
  /** Until when the server works on what it was asked last over a connection. */
  readonly #busyUntil = new WeakMap<FakeConnection, number>();
  /** When openings began that were refused for want of room, and by how much the pool kept below its maximum then. */
  readonly #refusedAt: number[] = [];
  #heldBelow = 0;
  #doubted = 0;
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
    this.#driver = new SwarmDriver(this.#runtime);
    this.#driver.worksOn = (connection) => !this.#driver.mute.has(connection) || this.#isBusy(connection);
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
    await this.#leaveAddresses();
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
    else if (happening.kind === 'mute') {
      for (const connection of this.#driver.live)
        if (this.#runtime.random() < happening.share) this.#driver.mute.add(connection);
      this.#runtime.schedule(happening.forMs, () => this.#driver.cutMute());
    } else if (happening.kind === 'move') {
      this.#driver.move();
      this.#driver.canLookUp = happening.hiddenMs === 0;
      this.#runtime.schedule(happening.hiddenMs, () => {
        this.#driver.canLookUp = true;
      });
    } else if (happening.kind === 'stall') this.#runtime.stall(happening.forMs);
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
      ...(call.statement === undefined ? {} : { statement: call.statement }),
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
          const isHeld = this.#acts('breaker') && this.#acts('errorClassify');
          must(isHeld && 'code' in error && error.code === TOO_MANY, false, 'told that the server is full');
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
    must(this.#driver.doubted.has(connection), false, 'a leased connection still has to be checked');
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
    if (call.statement !== undefined) this.#driver.prepare(connection, call.statement);
    const endsAt = this.#runtime.now() + takesMs;
    this.#busyUntil.set(connection, Math.max(endsAt, this.#busyUntil.get(connection) ?? 0));
    let isOver = false;
    const answered = this.#driver.owe(connection, (error) => {
      isOver = true;
      this.#done({ ...call, ends: 'failed' }, lease, owners, error);
    });
    this.#runtime.schedule(takesMs, () => {
      // Its answer is lost, or was given up.
      if (isOver || this.#driver.mute.has(connection)) return;
      answered();
      this.#done(call, lease, owners, connection.broken ? connectionLost() : undefined);
    });
  }

  #isBusy(connection: FakeConnection): boolean {
    return this.#runtime.now() < (this.#busyUntil.get(connection) ?? 0);
  }

  #done(call: Call, lease: Lease<FakeConnection>, owners: Set<Lease<FakeConnection>>, lost?: Error): void {
    const { connection } = lease;
    this.#atWork -= 1;
    owners.delete(lease);
    if (lost !== undefined) this.#pool.heed(lost, connection);
    if (call.leavesDoubt === true && owners.size === 0) {
      this.#driver.doubted.add(connection);
      this.#doubted += 1;
    }
    connection.dirty = call.ends === 'dirty' && !(lease instanceof SharedLease);
    const outcome = lost !== undefined ? 'broken' : call.ends === 'ok' ? 'ok' : 'failed';
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
    if (this.#isDown) return { afterMs, ends: 'badly' as const, error: refused() };
    if (now >= this.#full.untilMs || this.#driver.live.size < this.#full.limit)
      return { afterMs, ends: 'well' as const };
    this.#refusedAt.push(now);
    return { afterMs, ends: 'badly' as const, error: tooMany() };
  }

  /** Whether an optimisation acts all the time. */
  #acts(name: keyof Script['flags']): boolean {
    return this.#script.flags[name] === 'on';
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
    this.#expectFewRefused();
  }

  /** A pool that is used leaves the addresses that its server's name no longer stands for. */
  async #leaveAddresses(): Promise<void> {
    const isMoved = this.#script.happenings.some(({ kind }) => kind === 'move');
    if (!isMoved || !this.#acts('addressWatch')) return;
    const astray = () => [...this.#driver.live].filter((connection) => this.#driver.leadsAstray(connection));
    for (let waitedMs = 0; astray().length > 0 && waitedMs < MOVED_MS; waitedMs += 500) {
      this.#call({ atMs: 0, kind: 'call', workMs: 1, sql: 'SELECT 1', ends: 'ok' });
      await this.#runtime.advance(500);
    }
    must(astray().length, 0, 'connections to addresses of before');
  }

  get reached(): Reached {
    const { severed, closed, passedOver } = this.#pool.counters;
    return {
      severed,
      moved: closed.moved,
      lookUps: this.#driver.lookUps,
      refused: this.#refusedAt.length,
      heldBelow: this.#heldBelow,
      byStatement: passedOver.statement,
      doubted: this.#doubted,
    };
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
    const whileDown = this.#attempts.filter((at) => at < this.#downUntil);
    must(mostWithin(1_000, whileDown) <= most, true, `at most ${most} attempts in a second`);
  }

  /** Nor is a server asked over and over that is full. */
  #expectFewRefused(): void {
    if (!this.#acts('breaker') || !this.#acts('errorClassify')) return;
    const most = mostRefused(Math.max(this.#script.options.max, 12));
    must(
      mostWithin(1_000, this.#refusedAt) <= most,
      true,
      `at most ${most} openings that are refused in a second`,
    );
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
      onClosed: ({ id, connection }, reason) => {
        this.#log(`connection ${id} closed: ${reason}`);
        if (reason === 'moved' && !this.#driver.leadsAstray(connection!))
          this.#wrong ??= new Error(`connection ${id} leads where the name does, and was replaced`);
      },
      onSevered: ({ id, connection }, silentMs) => {
        this.#log(`connection ${id} is cut, silent for ${silentMs} ms`);
        if (!this.#driver.mute.has(connection!) || this.#isBusy(connection!))
          this.#wrong ??= new Error(`connection ${id} was cut, though an answer could still come`);
      },
      onCircuitChanged: ({ from, to }) => this.#log(`circuit: ${from} → ${to}`),
      onFlagChanged: ({ name, from, to, reason }) => this.#log(`flag ${name}: ${from} → ${to}, ${reason}`),
      onResized: (from, to, reason) => {
        this.#log(`limit: ${from} → ${to}, ${reason}`);
        if (reason === FAILURES.too_many_connections.what)
          this.#heldBelow = Math.max(this.#heldBelow, this.#pool.options.max - to);
      },
      onLeakSuspected: ({ id }) => this.#log(`connection ${id} seems forgotten`),
    };
  }
}

function refused(): Error {
  return Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
}

function tooMany(): Error {
  return Object.assign(new Error('too many clients'), { code: TOO_MANY, severity: 'FATAL' });
}

function must(actual: unknown, wanted: unknown, what: string): void {
  if (actual !== wanted) throw new Error(`${what}: expected ${wanted}, got ${actual}`);
}
