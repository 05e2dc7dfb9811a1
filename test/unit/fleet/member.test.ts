import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { FleetMember } from '../../../src/fleet/member.js';
import type { LeaseGrant, LeaseNews, LeaseRequest, LeaseStore } from '../../../src/index.js';
import { settle, VirtualRuntime } from '../../simulation/virtual-runtime.js';

/** Answers when the test says so. */
class Store implements LeaseStore {
  onNews: ((news: LeaseNews) => void) | undefined = undefined;
  readonly asked: (LeaseRequest & {
    signal: AbortSignal;
    grant(granted: number, graceMs?: number): void;
    fail(): void;
  })[] = [];
  others: { reserved: number; want: number }[] = [];
  left = 0;

  renew(request: LeaseRequest, signal: AbortSignal): Promise<LeaseGrant> {
    return new Promise((resolve, reject) => {
      const grant = (granted: number, graceMs = 0) => resolve({ granted, graceMs, others: this.others });
      this.asked.push({ ...request, signal, grant, fail: () => reject(new Error('away')) });
    });
  }

  async leave(): Promise<void> {
    this.left += 1;
  }

  get last() {
    return this.asked.at(-1)!;
  }
}

function newMember(hasStore = true, leaseMs = 1_000) {
  const runtime = new VirtualRuntime(1);
  const store = new Store();
  const pool = { held: 0, open: 0, demand: 0, told: [] as string[], shares: [] as number[] };
  const home = {
    held: () => pool.held,
    open: () => pool.open,
    demand: () => pool.demand,
    most: () => 10,
    onShare: (from: number, to: number, why: string | undefined) => {
      expect(from, 'what was told last').equal(pool.shares.at(-1) ?? 0);
      pool.shares.push(to);
      if (why !== undefined) pool.told.push(why);
    },
  };
  const budget = { maxConnections: 20, members: 4, leaseMs };
  const member = new FleetMember(hasStore ? { budget, leases: store } : { budget }, home, runtime);
  return { runtime, store, pool, member, share: () => member.share(runtime.now()) };
}

/** A member that has a lease on `granted`. */
async function leased(granted: number, leaseMs?: number) {
  const world = newMember(true, leaseMs);
  await world.runtime.advance(20);
  world.store.last.grant(granted);
  await settle();
  return world;
}

/** After how long it asks again, to 10 ms; it answered `granted` of a lease of ten seconds. */
async function renewsAfter({
  granted = 5,
  graceMs = 0,
  held = 0,
  demand = 0,
  others = [] as Store['others'],
}): Promise<number> {
  const { runtime, store, pool } = newMember(true, 10_000);
  Object.assign(pool, { held, demand });
  store.others = others;
  await runtime.advance(20);
  store.last.grant(granted, graceMs);
  await settle();
  let afterMs = 0;
  for (; store.asked.length === 1; afterMs += 10) await runtime.advance(10);
  return afterMs;
}

describe('a member of a fleet', () => {
  it('has nothing before it has asked, and begins at a random moment', async () => {
    const { runtime, store, pool, share, member } = newMember();
    expect(share()).equal(0);
    expect(member.report()).include({ state: 'starting', members: undefined });
    await runtime.advance(20);
    expect(store.asked.length).equal(1);
    expect(share()).equal(0);
    store.last.grant(3);
    await settle();
    expect(share()).equal(3);
    expect(member.report()).include({ state: 'leased', budget: 20, staticShare: 5, members: 1 });
    expect([pool.shares, pool.told], 'nothing was away').deep.equal([[3], []]);
  });

  it('has an equal part where there is no store', async () => {
    const { runtime, pool, share, member } = newMember(false);
    await runtime.advance(20);
    expect(share()).equal(5);
    expect(pool.shares).deep.equal([5]);
    expect(member.report().state).equal('static');
    await runtime.advance(60_000);
    expect(runtime.outstanding).equal(0);
    await member.leave();
    expect(runtime.keptAlive).equal(0);
  });

  it('tells no more than the pool’s own maximum for its share', async () => {
    const { member } = await leased(15);
    expect(member.report().share).equal(10);
  });

  it('asks again after a third of its lease', async () => {
    expect(await renewsAfter({})).within(2_660, 4_010);
    expect(await renewsAfter({ held: 5, others: [{ reserved: 5, want: 5 }] })).within(2_660, 4_010);
  });

  it('asks again soon while it, or another, is short, and while it has more than it may', async () => {
    expect(await renewsAfter({ granted: 4, demand: 5 })).within(220, 330);
    expect(await renewsAfter({ others: [{ reserved: 4, want: 5 }] })).within(220, 330);
    expect(await renewsAfter({ held: 6 })).within(220, 330);
    const many = Array.from({ length: 49 }, () => ({ reserved: 4, want: 5 }));
    expect(await renewsAfter({ others: many }), 'a hundred renewals a second of all').within(420, 630);
  });

  it('asks again when nobody is to be spared any more, if that is sooner', async () => {
    expect(await renewsAfter({ graceMs: 1_000 })).within(820, 1_230);
    expect(await renewsAfter({ graceMs: 1_000, granted: 1, demand: 9 })).within(820, 1_230);
    expect(await renewsAfter({ graceMs: 9_000 })).within(2_660, 4_010);
  });

  it('keeps idle connections while nobody is short, or nobody may be given more', async () => {
    const askedNext = async (graceMs: number, others: Store['others']) => {
      const { runtime, store, pool } = newMember();
      await runtime.advance(20);
      store.others = others;
      store.last.grant(8, graceMs);
      Object.assign(pool, { held: 8, open: 8 });
      await runtime.advance(450);
      expect(store.asked.map(({ number }) => number)).deep.equal([1, 2]);
      return store.last.asked;
    };
    expect(await askedNext(0, [])).equal(8);
    expect(await askedNext(400, [{ reserved: 1, want: 9 }])).equal(8);
    expect(await askedNext(0, [{ reserved: 1, want: 9 }])).equal(1);
  });

  it('asks no more often than the store can bear while somebody is short', async () => {
    const { runtime, store, pool, member } = newMember(true, 10_000);
    await runtime.advance(20);
    const sentAt = runtime.now();
    pool.demand = 9;
    store.others = Array.from({ length: 49 }, () => ({ reserved: 4, want: 5 }));
    store.last.grant(4);
    await settle();
    member.need(runtime.now());
    await runtime.advance(400);
    expect(store.asked.length).equal(1);
    await runtime.advance(sentAt + 500 - runtime.now());
    expect(store.asked.length).equal(2);
  });

  it('never has more than it told the store while that does not answer', async () => {
    const { runtime, store, pool, share } = newMember();
    pool.demand = 9;
    const seen = new Set<number>();
    for (let ms = 0; ms < 4_000; ms += 1) {
      await runtime.advance(1);
      seen.add(share());
      const isAsking = store.asked.length > 0 && !store.last.signal.aborted;
      if (isAsking) expect(share()).most(store.last.ceiling);
    }
    expect([...seen], 'the least, and its equal part once all others have shrunk').deep.equal([0, 1, 5]);
    expect(pool.told, 'told once').deep.equal(['the leases of the fleet cannot be renewed']);
  });

  it('tells its pool as the share of a lease that is not renewed shrinks', async () => {
    const { runtime, pool, share } = await leased(9);
    Object.assign(pool, { held: 9, open: 9 });
    await runtime.advance(3_000);
    expect(pool.shares[0]).equal(9);
    expect(pool.shares.at(-1)).equal(5);
    expect(share()).equal(5);
    expect(pool.shares.length).above(3);
    expect([...pool.shares].sort((one, other) => other - one)).deep.equal(pool.shares);
  });

  it('is not moved to ask by what its callers need while the store is away', async () => {
    const { runtime, store, pool, member } = await leased(2, 10_000);
    await runtime.advance(4_010);
    store.last.fail();
    await settle();
    expect(member.report().state).equal('away');
    const { length } = store.asked;
    pool.demand = 9;
    member.need(runtime.now());
    await runtime.advance(370);
    expect(store.asked.length).equal(length);
    await runtime.advance(260);
    expect(store.asked.length).equal(length + 1);
  });

  it('asks at once when callers need more, and not again before it is answered', async () => {
    const { runtime, store, pool, member } = await leased(2);
    pool.demand = 7;
    await runtime.advance(30);
    member.need(runtime.now());
    await runtime.advance(1);
    expect(store.asked.length).equal(2);
    expect(store.last).include({ asked: 7, want: 7, ceiling: 2 });
    member.need(runtime.now());
    await runtime.advance(50);
    expect(store.asked.length).equal(2);
  });

  it('keeps to what it told the store until it is answered', async () => {
    const { runtime, store, pool, share } = await leased(8);
    pool.held = 4;
    pool.open = 3;
    await runtime.advance(400);
    expect(store.last, 'those that close are counted').include({ asked: 3, ceiling: 4 });
    expect(share()).equal(3);
    store.last.grant(3);
    await settle();
    expect(share()).equal(3);
  });

  it('gives up on an answer that does not come, and takes none that comes late', async () => {
    const { runtime, store, share, member, pool } = await leased(8);
    pool.open = 8;
    pool.held = 8;
    await runtime.advance(400);
    const { signal, grant } = store.last;
    await runtime.advance(250);
    expect(signal.aborted).equal(true);
    expect(member.report().state).equal('away');
    grant(10);
    await settle();
    expect(share()).most(8);
    expect(member.report().state).equal('away');
    expect(pool.told).include('the leases of the fleet cannot be renewed');
  });

  it('that stood still for longer than its lease opens nothing beyond its static share before it has a new one', async () => {
    const { runtime, share } = await leased(9);
    runtime.stall(10_000);
    expect(share()).equal(5);
  });

  it('tries again soon while the store is away, and tells when it is back', async () => {
    const { runtime, store, pool } = await leased(8);
    await runtime.advance(400);
    store.last.fail();
    await runtime.advance(100);
    expect(store.asked.length).equal(3);
    store.last.grant(5);
    await settle();
    expect(pool.told).include('the leases of the fleet are back');
  });

  it('gives way when it hears that another is short', async () => {
    const { runtime, store, pool, share } = await leased(8);
    pool.open = 8;
    pool.held = 8;
    pool.demand = 2;
    store.onNews!('short');
    await runtime.advance(300);
    expect(store.last).include({ asked: 2, ceiling: 8 });
    expect(share()).equal(2);
    expect(pool.shares.slice(0, 2), 'the pool closes what is idle').deep.equal([8, 2]);
    store.others = [{ reserved: 1, want: 5 }];
    store.last.grant(2);
    await settle();
    pool.held = 2;
    pool.open = 2;
    await runtime.advance(400);
    expect(store.last, 'and says so once it has').include({ asked: 2, ceiling: 2 });
  });

  it('asks for no more than it has while nobody is given more', async () => {
    const { runtime, store, pool, member } = newMember();
    await runtime.advance(20);
    pool.demand = 9;
    store.last.grant(1, 900);
    await settle();
    member.need(runtime.now());
    await runtime.advance(100);
    expect(store.asked.length).equal(1);
  });

  it('does not ask for what its own maximum keeps from it', async () => {
    const { runtime, store, pool, member } = await leased(10);
    for (let tick = 0; tick < 10; tick += 1) {
      pool.demand = 50;
      member.need(runtime.now());
      await runtime.advance(20);
    }
    expect(store.asked.length).equal(1);
  });

  it('minds no failure of a question that it gave up', async () => {
    const { runtime, store, pool, member } = await leased(5);
    Object.assign(pool, { held: 5, open: 5 });
    await runtime.advance(420);
    const late = store.last;
    await runtime.advance(280);
    expect(late.signal.aborted).equal(true);
    store.last.grant(5);
    await settle();
    expect(member.report().state).equal('leased');
    late.fail();
    await settle();
    expect(member.report().state).equal('leased');
  });

  it('asks soon when it hears anything, and keeps what it has where nobody is short', async () => {
    const { runtime, store, pool } = await leased(8, 10_000);
    Object.assign(pool, { held: 8, open: 8 });
    store.onNews!('lost');
    await runtime.advance(250);
    expect(store.asked.length).equal(2);
    expect(store.last.asked).equal(8);
  });

  it('takes nothing that comes once it has left', async () => {
    const { runtime, store, member, share } = await leased(3);
    await runtime.advance(420);
    const { onNews } = store;
    await member.leave();
    onNews!('short');
    store.last.grant(9);
    await settle();
    expect(share()).most(3);
    expect(runtime.outstanding).equal(1);
    await runtime.advance(60_000);
    expect(runtime.outstanding).equal(0);
    expect(store.asked.length).equal(2);
  });

  it('leaves, once, and asks no more', async () => {
    const { runtime, store, member } = await leased(3);
    await Promise.all([member.leave(), member.leave()]);
    await runtime.advance(60_000);
    expect(store.left).equal(1);
    expect(store.asked.length).equal(1);
    expect(runtime.outstanding).equal(0);
  });

  it('keeps the process alive until the others can have its share, and for no longer than a second', async () => {
    const { runtime, store, member } = await leased(3);
    store.leave = () => new Promise(() => {});
    let hasLeft = false;
    member.leave().then(() => {
      hasLeft = true;
    });
    expect(runtime.keptAlive).equal(1);
    await runtime.advance(1_000);
    expect(hasLeft).equal(true);
    expect(runtime.keptAlive).equal(0);
  });

  it('leaves also where the store throws', async () => {
    const { runtime, store, member } = await leased(3);
    store.leave = () => {
      throw new Error('closed');
    };
    await member.leave();
    expect(runtime.keptAlive).equal(0);
  });

  it('is collected with a pool that was dropped without being closed, and its share comes free', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const { runtime, store } = await leased(3);
    for (let turn = 0; turn < 50 && store.left === 0; turn += 1) {
      await new Promise(setImmediate);
      collectGarbage();
      await runtime.advance(1_000);
      // Whoever is there renews.
      if (store.left === 0) store.last.fail();
    }
    expect(store.left).equal(1);
    expect(runtime.outstanding).equal(0);
  });

  it('is told of every fault of its budget at once', () => {
    const runtime = new VirtualRuntime(1);
    const home = { held: () => 0, open: () => 0, demand: () => 0, most: () => 1, onShare: () => {} };
    const budget = { maxConnections: 1.5, members: 0, leaseMs: 1 };
    expect(() => new FleetMember({ budget }, home, runtime))
      .throw(/maxConnections must be.*got 1.5.*members must be.*got 0.*leaseMs must be.*got 1/)
      .with.property('code', 'INVALID_OPTIONS');
  });
});
