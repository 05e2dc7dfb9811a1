import { type Slot, SlotState } from '../slots.js';

/** Of a connection that is silent for less, nothing is thought; nor of a lease whose kind of work never took a tenth as long. */
const LEAST_SILENT_MS = 150;
const FAR_LONGER = 10;
/** The same of a check of ours: its end costs nobody an answer. */
const FAR_LONGER_CHECK = 5;
/** A connection takes at least TCP's handshake and one question to open; a check takes one round trip. */
const ROUND_TRIPS_TO_OPEN = 2;
/** The limit where too little is known of how long the work takes. */
const UNKNOWN_MS = 1_000;
const KNOWN_RUNS = 20;
/** A connection that is silent while others answer may only have lost a packet: TCP sends again after 0.2, 0.6 and 1.4 s. */
const ALONE_MS = 1_500;
/** A lease that is younger is not looked at: most are over by then. */
export const YOUNG_MS = 20;
/** Whoever is silent for so long is asked about together with those beyond their limit; and by himself who was leased before others were proven dead. */
const ASKED_MS = 100;
/** From one question that found nothing to the next. */
const ASK_EVERY_MS = { least: 500, most: 60_000 } as const;
const OPEN_EVERY_MS = 1_000;
/** When nothing came back for so long, the last idle connection is checked before it is leased: that costs one round trip. */
export const QUIET_MS = 20;

interface Watched {
  /** What tells one lease, one answer or one check from the next. */
  readonly leasedAt: number;
  readonly state: SlotState;
  bytes: number;
  /** Since when no byte came, for all we know. */
  since: number;
}

/**
 * Watches connections that owe an answer. One that is silent for far longer than its kind of work ever took is asked about:
 * over another connection, whether the server works for it at all.
 */
export class StallWatch<C> {
  #watched = new Map<Slot<C>, Watched>();
  #silent: Slot<C>[] = [];
  #longestCheckMs = 0;
  #shortestOpenMs: number | undefined = undefined;
  #nextAskAt = 0;
  #askEveryMs: number = ASK_EVERY_MS.least;
  #nextOpenAt = 0;
  /** When the latest question was asked that has an answer. */
  #soundAt = Number.NEGATIVE_INFINITY;
  /** When connections were last proven dead. */
  #deadAt = Number.NEGATIVE_INFINITY;
  /** When the event loop last stood still. */
  #restartedAt = Number.NEGATIVE_INFINITY;
  /** Over which a question is on its way. */
  #asker: Slot<C> | undefined = undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** When there is something to look at again; infinite when there is not. */
  dueAt = Number.POSITIVE_INFINITY;

  /**
   * @param bytesOf bytes received on a connection that owes an answer; undefined when it owes none.
   * @returns the connections that are silent beyond their limit.
   */
  look(
    slots: Iterable<Slot<C>>,
    bytesOf: (connection: C) => number | undefined,
    now: number,
  ): readonly Slot<C>[] {
    const before = this.#watched;
    this.#watched = new Map();
    this.#silent = [];
    this.dueAt = Number.POSITIVE_INFINITY;
    for (const slot of slots) {
      if (!isBusy(slot) || (slot.state === SlotState.leased && now - slot.leasedAt < YOUNG_MS)) continue;
      const bytes = bytesOf(slot.connection!);
      if (bytes === undefined) continue;
      const { leasedAt, state } = slot;
      const last = before.get(slot);
      let since = isChecked(slot) ? Math.max(slot.askedAt, this.#restartedAt) : now;
      if (last?.leasedAt === leasedAt && last.state === state)
        since = last.bytes === bytes ? last.since : now;
      this.#watched.set(slot, { leasedAt, state, bytes, since });
      const dueAt = since + this.#limitMs(slot);
      if (now >= dueAt) this.#silent.push(slot);
      else this.dueAt = Math.min(this.dueAt, dueAt);
    }
    if (this.#silent.length > 0)
      this.dueAt = Math.min(this.dueAt, Math.max(now + LEAST_SILENT_MS, this.#nextAskAt));
    return this.#silent;
  }

  /** The event loop stood still: what came meanwhile is unread, and nobody was silent. */
  restart(now: number): void {
    this.#restartedAt = now;
    for (const watched of this.#watched.values()) watched.since = now;
    this.#silent = [];
  }

  /** Whether somebody is silent, and it is time to ask about it. A question that is silent itself is asked anew. */
  wantsToAsk(now: number): boolean {
    const isAsking = this.#asker !== undefined && !this.#silent.includes(this.#asker);
    return this.#silent.length > 0 && !isAsking && now >= this.#nextAskAt;
  }

  /** Whether an idle connection may be as mute as the checks that have no answer: a new one is better to ask over. */
  get doubtsIdle(): boolean {
    return this.#silent.some(isChecked);
  }

  /** True once a second at most: then a connection may be opened to ask over. */
  claimOpening(now: number): boolean {
    if (now < this.#nextOpenAt) return false;
    this.#nextOpenAt = now + OPEN_EVERY_MS;
    return true;
  }

  /** Who is to be asked about over `asker`. `heardAt`: when a connection of the pool answered last. */
  asks(asker: Slot<C>, heardAt: number, now: number): Slot<C>[] {
    this.#asker = asker;
    this.#askedAt = now;
    const silent = [...this.#watched].filter(([, { since }]) => now - since >= ASKED_MS);
    const isMute = silent.length > 1 && silent.every(([, { since }]) => since >= heardAt);
    const isAsked = ([{ state, leasedAt }, { since }]: [Slot<C>, Watched]) =>
      // Whoever was leased before others were proven dead is as likely to be.
      state === SlotState.leased && (isMute || leasedAt <= this.#deadAt || now - since >= ALONE_MS);
    return silent.filter(isAsked).map(([slot]) => slot);
  }

  /** The question asked over `asker` is answered. */
  answered(asker: Slot<C>, foundDead: boolean, now: number): void {
    if (this.#asker === asker) this.learnAnswer(this.#askedAt);
    this.#leave(asker);
    this.#askEveryMs = foundDead ? ASK_EVERY_MS.least : Math.min(this.#askEveryMs * 2, ASK_EVERY_MS.most);
    this.#nextAskAt = foundDead ? now : now + this.#askEveryMs;
    if (foundDead) this.#deadAt = now;
  }

  /** It has no answer: `asker` is of no use. */
  unanswered(asker: Slot<C>): void {
    this.#leave(asker);
  }

  /** Whether nothing has come since it was asked about. */
  isStillSilent(slot: Slot<C>, bytes: number | undefined): boolean {
    const watched = this.#watched.get(slot);
    return (
      watched !== undefined &&
      watched.bytes === bytes &&
      watched.leasedAt === slot.leasedAt &&
      watched.state === slot.state
    );
  }

  silentMs(slot: Slot<C>, now: number): number {
    return now - (this.#watched.get(slot)?.since ?? now);
  }

  /** For how long nothing has come on a connection that is silent beyond its limit; 0 when it is not. */
  beyondLimitMs(slot: Slot<C>, bytes: number | undefined, now: number): number {
    const silentMs = this.isStillSilent(slot, bytes) ? this.silentMs(slot, now) : 0;
    return silentMs >= this.#limitMs(slot) ? silentMs : 0;
  }

  /** A check that was asked at `askedAt` was answered after so long. */
  learnCheck(askedAt: number, tookMs: number): void {
    this.#longestCheckMs = Math.max(tookMs, this.#longestCheckMs * 0.98);
    this.learnAnswer(askedAt);
  }

  /** A connection was opened in so long. */
  learnOpen(tookMs: number): void {
    this.#shortestOpenMs = Math.min(tookMs, this.#shortestOpenMs ?? tookMs);
  }

  /** What was asked at `askedAt` is answered. */
  learnAnswer(askedAt: number): void {
    this.#soundAt = Math.max(this.#soundAt, askedAt);
  }

  /**
   * The silent one whose end costs nobody an answer, should a place be needed for a new connection: a check of ours. A connection
   * that statements share may merely wait for a lock.
   */
  expendable(): Slot<C> | undefined {
    return this.#silent.find(isChecked);
  }

  /** Checks without an answer, though what was asked later over another connection has one. */
  lost(): readonly Slot<C>[] {
    return this.#silent.filter((slot) => isChecked(slot) && this.#watched.get(slot)!.since < this.#soundAt);
  }

  /** Whether several are held, and none came back for a while: should it be the network, the last idle one would be lost as well. */
  isQuiet(slots: Iterable<Slot<C>>, now: number): boolean {
    let held = 0;
    for (const slot of slots)
      if (slot.state === SlotState.leased && now - slot.leasedAt >= QUIET_MS) held += 1;
    return held >= 2;
  }

  #leave(asker: Slot<C>): void {
    if (this.#asker === asker) this.#asker = undefined;
  }

  #limitMs(slot: Slot<C>): number {
    if (slot.state === SlotState.checking)
      return Math.max(
        LEAST_SILENT_MS,
        FAR_LONGER_CHECK * Math.max(this.#longestCheckMs, (this.#shortestOpenMs ?? 0) / ROUND_TRIPS_TO_OPEN),
      );
    if (slot.leasedAt <= this.#deadAt) return ASKED_MS;
    if (slot.depth > 1) return Math.max(LEAST_SILENT_MS, FAR_LONGER * slot.loadMs);
    const { profile } = slot;
    if (profile === undefined || profile.runs < KNOWN_RUNS) return UNKNOWN_MS;
    return Math.max(LEAST_SILENT_MS, FAR_LONGER * profile.longestMs);
  }
}

/**
 * The error of a statement whose connection was proven dead. Its code is that of the error which the operating system would
 * have given a quarter of an hour later.
 */
export function muteError(silentMs: number): Error {
  const message =
    `The connection is dead: no byte came on it for ${Math.round(silentMs)} ms, and the server, asked over another ` +
    'connection, is not working on the statement. Whether it was run is unknown.';
  return Object.assign(new Error(message), { code: 'ETIMEDOUT', syscall: 'read' });
}

function isBusy({ state }: Slot<unknown>): boolean {
  return state === SlotState.leased || state === SlotState.checking;
}

function isChecked({ state, retiring }: Slot<unknown>): boolean {
  return state === SlotState.checking && retiring === 'check';
}
