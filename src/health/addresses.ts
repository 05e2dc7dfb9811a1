import { type Slot, SlotState, type Slots } from '../slots.js';
import { inService } from '../upkeep.js';

/**
 * A name is looked up so often: usually, for nobody tells how long an answer holds; while it seems to change; and for a minute after a
 * failure as of a failover.
 */
const LOOK_EVERY_MS = { usual: 30_000, changing: 5_000 } as const;
const ALERT_MS = 60_000;
/** An answer that has not come by then is not waited for: a resolver that hangs is not to be asked again and again. */
const ANSWER_MS = 300_000;
/**
 * An address is given up once so many answers in a row were the same and without it: usually within a minute, for a name may tell one of
 * several at a time, and a resolver repeat itself; a quarter of that after a failure as of a failover. Doubled when one that was given up
 * is met again soon: the name has more addresses than it tells at once, or those who connect do not go by it.
 */
const PROOF = { answers: 12, most: 96 } as const;
const ALERT_SHARE = 1 / 4;
/** So long a name is remembered to which no connection leads. */
const SOON_MS = 600_000;

/** The way to a server. */
export interface Route {
  /** Its name, as it was looked up. */
  readonly host: string;
  /** The address that a connection leads to. */
  readonly address: string;
}

/** A server's name no longer stands for addresses to which connections lead. */
export interface ServerMove {
  readonly host: string;
  /** The addresses that were given up. */
  readonly from: readonly string[];
  /** Those that the name stands for now. */
  readonly to: readonly string[];
}

/** What is known of a server's name. */
export interface ServerNameReport {
  readonly host: string;
  /** The latest answer; empty while there is none. */
  readonly addresses: readonly string[];
  /** Addresses that it no longer stands for: connections that lead there are replaced. */
  readonly gone: readonly string[];
  readonly lookups: number;
}

/**
 * Notices that the names of a pool's servers lead elsewhere, as after a failover by DNS, and says which connections lead to addresses of
 * before. One address of several that an answer names is as good as another. Pure: answers and `now` in, names to look up out.
 */
export class Addresses<C> {
  readonly #names = new Map<string, ServerName>();

  /** A connection was opened: what it leads to is an answer, too. */
  opened({ route }: Slot<C>, now: number): void {
    if (route === undefined) return;
    let name = this.#names.get(route.host);
    if (name === undefined) {
      name = new ServerName(now);
      this.#names.set(route.host, name);
    }
    name.met(route.address);
  }

  /** The server failed as in a failover: its name may lead elsewhere from now on. */
  alert(now: number): void {
    for (const name of this.#names.values()) name.alert(now);
  }

  /** The names that are to be looked up now. */
  due(slots: Slots<C>, now: number): string[] {
    const hosts: string[] = [];
    for (const [host, name] of this.#names) {
      if (now < name.nextAt) continue;
      if (addressesOf(slots, host).size > 0) {
        name.ask(now);
        hosts.push(host);
      } else if (now - name.nextAt > SOON_MS) this.#names.delete(host);
    }
    return hosts;
  }

  /** What a name stands for now; none where that could not be told, which says nothing. What was given up on account of it. */
  answered(host: string, addresses: readonly string[], slots: Slots<C>, now: number): ServerMove | undefined {
    const name = this.#names.get(host);
    if (name === undefined) return undefined;
    if (addresses.length === 0) {
      name.fail(now);
      return undefined;
    }
    const from = name.learn(addresses, addressesOf(slots, host), now);
    return from.length === 0 ? undefined : { host, from, to: name.addresses };
  }

  /** Connections in service that lead to an address that was given up. */
  astray(slots: Slots<C>): Slot<C>[] {
    const areGone = Array.from(this.#names.values()).some(({ gone }) => gone.size > 0);
    return areGone ? inService(slots).filter((slot) => this.isAstray(slot)) : [];
  }

  /** Whether a connection leads to an address that its server's name no longer stands for. */
  isAstray({ route }: Slot<C>): boolean {
    return route !== undefined && this.#names.get(route.host)?.gone.has(route.address) === true;
  }

  report(): ServerNameReport[] {
    return Array.from(this.#names, ([host, { addresses, gone, lookups }]) => ({
      host,
      addresses,
      gone: [...gone.keys()],
      lookups,
    }));
  }
}

class ServerName {
  /** It is not looked up before. Where the first connection leads is an answer. */
  nextAt: number;
  lookups = 0;
  addresses: readonly string[] = [];
  /** When each was given up. */
  readonly gone = new Map<string, number>();
  /** Answers in a row that were without an address to which connections lead. */
  readonly #absences = new Map<string, number>();
  /** Answers in a row that were the same. */
  #same = 0;
  #proof: number = PROOF.answers;
  #alertUntil = 0;
  #askedAt: number;
  #isAsked = false;

  constructor(now: number) {
    this.#askedAt = now;
    this.nextAt = now + LOOK_EVERY_MS.usual;
  }

  met(address: string): void {
    this.#absences.delete(address);
    if (this.gone.delete(address)) this.#proof = Math.min(PROOF.most, 2 * this.#proof);
  }

  alert(now: number): void {
    this.#alertUntil = now + ALERT_MS;
    if (!this.#isAsked)
      this.nextAt = Math.min(this.nextAt, Math.max(now, this.#askedAt + LOOK_EVERY_MS.changing));
  }

  ask(now: number): void {
    this.lookups += 1;
    this.#isAsked = true;
    this.#askedAt = now;
    this.nextAt = now + ANSWER_MS;
  }

  fail(now: number): void {
    this.#lookAgain(now, now < this.#alertUntil);
  }

  /** @returns which of the addresses in use were given up. */
  learn(answer: readonly string[], inUse: ReadonlySet<string>, now: number): string[] {
    const sorted = [...new Set(answer)].sort();
    this.#same = sorted.join() === this.addresses.join() ? this.#same + 1 : 1;
    this.addresses = sorted;
    for (const [address, since] of this.gone)
      if (now - since > SOON_MS && !inUse.has(address)) this.gone.delete(address);
    for (const address of this.addresses) this.met(address);
    const from: string[] = [];
    const isAlert = now < this.#alertUntil;
    const proof = isAlert ? this.#proof * ALERT_SHARE : this.#proof;
    let isChanging = isAlert;
    for (const address of inUse) {
      if (this.addresses.includes(address) || this.gone.has(address)) continue;
      const absences = (this.#absences.get(address) ?? 0) + 1;
      this.#absences.set(address, absences);
      if (Math.min(absences, this.#same) < proof) isChanging = true;
      else from.push(address);
    }
    for (const address of from) this.gone.set(address, now);
    for (const address of this.#absences.keys()) if (!inUse.has(address)) this.#absences.delete(address);
    this.#lookAgain(now, isChanging);
    return from;
  }

  #lookAgain(now: number, isChanging: boolean): void {
    this.#isAsked = false;
    this.nextAt = now + (isChanging ? this.#whileChangingMs : LOOK_EVERY_MS.usual);
  }

  /** The more answers it takes, the less hurry there is. */
  get #whileChangingMs(): number {
    return Math.min(LOOK_EVERY_MS.usual, (LOOK_EVERY_MS.changing * this.#proof) / PROOF.answers);
  }
}

function addressesOf<C>(slots: Slots<C>, host: string): Set<string> {
  const addresses = new Set<string>();
  for (const { state, route } of slots)
    if (route?.host === host && state !== SlotState.closing) addresses.add(route.address);
  return addresses;
}
