import { type ResolvedBudget, staticShare } from '../../src/fleet/budget.js';
import { heldForAbsent } from '../../src/fleet/share.js';
import type { LeaseGrant, LeaseRequest } from '../../src/index.js';

interface Entry {
  readonly expiresAt: number;
  readonly reserved: number;
  readonly want: number;
  readonly number: number;
}

/**
 * What `adapters/redis/renewal.ts` does, for the virtual clock: `test/fleet/redis.test.ts` holds the two side by side. A process that is frozen still
 * listens; one that is dead does not.
 */
export class LeaseTable {
  readonly listening = new Set<string>();
  onShort: ((member: string) => void) | undefined = undefined;
  #entries = new Map<string, Entry>();
  #run = 0;
  #heard = { run: -1, at: 0 };
  #graceUntil = 0;
  readonly #budget: ResolvedBudget;

  constructor(budget: ResolvedBudget) {
    this.#budget = budget;
  }

  /** The server begins a new life, with what it had written to disk or without. */
  restart(keepsData: boolean): void {
    this.#run += 1;
    this.listening.clear();
    if (keepsData) return;
    this.#entries.clear();
    this.#heard = { run: -1, at: 0 };
    this.#graceUntil = 0;
  }

  /** @throws when a newer request of this member has come. */
  renew(member: string, request: LeaseRequest, now: number): LeaseGrant {
    const { leaseMs, maxConnections } = this.#budget;
    const mine = this.#entries.get(member);
    if (mine !== undefined && request.number <= mine.number) throw new Error('STALE');
    const others = this.#others(member, now);
    if (this.#heard.run !== this.#run || now - this.#heard.at > leaseMs / 2) this.#graceUntil = now + leaseMs;
    this.#heard = { run: this.#run, at: now };
    const taken = others.reduce((sum, { reserved }) => sum + reserved, 0);
    const free = maxConnections - taken - heldForAbsent(others.length + 1, this.#budget);
    const inGrace = now < this.#graceUntil;
    const most = inGrace ? Math.max(request.ceiling, 1) : Number.POSITIVE_INFINITY;
    const granted = Math.max(0, Math.min(request.asked, free, most));
    const reserved = Math.max(granted, request.ceiling);
    const { want, number } = request;
    this.#entries.set(member, { expiresAt: now + leaseMs, reserved, want, number });
    const wasShort = mine !== undefined && mine.want > mine.reserved;
    if (want > reserved && !wasShort && !inGrace) this.onShort?.(member);
    return { granted, graceMs: Math.max(0, this.#graceUntil - now), others };
  }

  leave(member: string): void {
    this.#entries.delete(member);
  }

  #others(member: string, now: number): { reserved: number; want: number }[] {
    const others = [];
    for (const [name, { expiresAt, reserved, want }] of this.#entries) {
      if (name === member) continue;
      const isOver = expiresAt <= now;
      if (isOver && !this.listening.has(name)) this.#entries.delete(name);
      else others.push({ reserved: isOver ? Math.max(reserved, staticShare(this.#budget)) : reserved, want });
    }
    return others;
  }
}
