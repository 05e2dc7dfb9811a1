import type { Route } from './health/addresses.js';
import type { LeaseHome } from './lease.js';
import type { Lane, QueryProfile } from './query/profiles.js';
import type { PassedOverReason } from './selection/cheapest.js';
import { TrackRecord } from './selection/track-record.js';

/** The states of a slot; numbers, because a move happens twice in every query. */
export const SlotState = {
  opening: 0,
  idle: 1,
  leased: 2,
  checking: 3,
  closing: 4,
  gone: 5,
  warming: 6,
  /** Idle, and its server is no longer the writer: it is leased to those only who may read what is old. */
  stale: 7,
} as const;
export type SlotState = (typeof SlotState)[keyof typeof SlotState];

const STATE_NAMES = Object.keys(SlotState);

/** Which moves are legal: row = from, bits = to. */
const LEGAL_MOVES: readonly number[] = [
  /* opening  */ bits(
    SlotState.idle,
    SlotState.leased,
    SlotState.checking,
    SlotState.closing,
    SlotState.gone,
    SlotState.warming,
  ),
  /* idle     */ bits(SlotState.leased, SlotState.checking, SlotState.closing, SlotState.stale),
  /* leased   */ bits(
    SlotState.idle,
    SlotState.leased,
    SlotState.checking,
    SlotState.closing,
    SlotState.stale,
  ),
  /* checking */ bits(SlotState.idle, SlotState.leased, SlotState.checking, SlotState.closing),
  /* closing  */ bits(SlotState.gone),
  /* gone     */ 0,
  /* warming  */ bits(SlotState.idle, SlotState.leased, SlotState.checking, SlotState.closing),
  /* stale    */ bits(SlotState.leased, SlotState.closing),
];

/** Why a connection is opened: for a caller, `min` or a forecast, to ask about silent ones, or in place of one that has to go. */
export type OpenReason = 'waiter' | 'min' | 'forecast' | 'silence' | 'replacement';

/**
 * Why a connection is checked on nobody's behalf: others of its age were lost, it was idle for nearly as long as something lets it be,
 * callers are expected, or it is asked about silent ones.
 */
export type CheckReason = 'suspect' | 'quiet' | 'forecast' | 'silence';

/** Why a connection was closed. */
export type CloseReason =
  | 'idle'
  | 'lifetime'
  | 'uses'
  | 'slow'
  | 'moved'
  | 'broken'
  | 'check'
  | 'warm'
  | 'dirty'
  | 'shrink'
  | 'evicted'
  | 'drain';

/** A connection and what the pool knows of it. */
export class Slot<C> {
  readonly id: number;
  readonly home: LeaseHome<C>;
  state: SlotState = SlotState.opening;
  connection: C | undefined = undefined;
  /** Undefined where its server has no name, or nobody wants to know. */
  route: Route | undefined = undefined;
  /** How many leases it may carry at once: 1 but while it is shared, which only a driver that can pipeline allows. */
  depth = 1;
  /** How many leases it carries. */
  holders = 0;
  /** While shared: the expected time of all that is in flight, in milliseconds. */
  loadMs = 0;
  /** While shared: whether no answer has come for long, though the event loop looked for one. */
  fellSilent = false;
  uses = 0;
  /** Set while leased: it closes when its last holder lets go. */
  retiring: CloseReason | undefined = undefined;
  openStartedAt: number;
  openedAt = 0;
  /** When it passed its last check. */
  provenAt = 0;
  /** When its latest check or reset began. */
  askedAt = 0;
  /** Whether its check is only to keep it alive: it stays as long idle as it was. */
  isKeptAlive = false;
  /** Whether it must answer a check before it is leased again, for others of its age were lost. */
  isSuspect = false;
  /** Whether its server is no longer the writer, and it is kept for a while for reads. */
  isStale = false;
  /** Whether it was cut as dead: that it is lost says nothing of the server. */
  isSevered = false;
  /** When it was leased; while shared, when the last answer came. */
  leasedAt = 0;
  /** Of what its latest exclusive holder said it would run; undefined where nobody wants to know. */
  profile: QueryProfile | undefined = undefined;
  /** The lane that its exclusive holder came by; `fast` when there is none. */
  lane: Lane = 'fast';
  idleSince = 0;
  /** What it has shown, in timed leases. */
  readonly track = new TrackRecord();
  /** What the latest holder who named his session settings called them; undefined too once the session was reset. */
  settings: string | undefined = undefined;
  /** How often another was taken in its place since it was last leased. */
  passedOver = 0;
  /** Why its holder got it and not the newest idle one; undefined where that one was taken. */
  chosenOver: PassedOverReason | undefined = undefined;
  /** How long it had been idle when it was last leased or checked, where that was timed and it was idle. */
  idledMs: number | undefined = undefined;
  /** When somebody began to wait for it while it was being warmed; undefined while nobody does. */
  hurriedAt: number | undefined = undefined;
  /** When an open, a check, a warm-up or a close must be over. */
  deadlineAt = Number.POSITIVE_INFINITY;
  /** When its lifetime ends; drawn at birth. */
  expiresAt = Number.POSITIVE_INFINITY;
  /** Why it is to go, once another one is there in its place, or there is room for that. */
  leavesFor: CloseReason | undefined = undefined;
  /** Whether another one is to be opened when it is gone. */
  isOwed = false;
  /** The one that it is opened in place of. */
  replaces: Slot<C> | undefined = undefined;
  leakReported = false;
  /** On whose behalf it is held, as `Callers` tells; undefined where nobody can tell, or asked. */
  holder: unknown = undefined;
  abort: AbortController | undefined = undefined;

  constructor(id: number, home: LeaseHome<C>, now: number) {
    this.id = id;
    this.home = home;
    this.openStartedAt = now;
  }
}

/** Every slot of a pool, its counts by state, and the idle ones as a stack. `move` is the only door between states. */
export class Slots<C> {
  readonly #all = new Set<Slot<C>>();
  readonly #byConnection = new Map<C, Slot<C>>();
  readonly #counts = Object.values(SlotState).map(() => 0);
  /** A stack; the bottom was idle longest. An array: pushing and popping one is cheaper than linking. */
  readonly #idle: Slot<C>[] = [];
  readonly #shared: Slot<C>[] = [];
  #lastId = 0;

  add(home: LeaseHome<C>, now: number): Slot<C> {
    this.#lastId += 1;
    const slot = new Slot(this.#lastId, home, now);
    this.#all.add(slot);
    this.#counts[SlotState.opening]! += 1;
    return slot;
  }

  /** Ties a slot to the connection that was opened for it. */
  attach(slot: Slot<C>, connection: C): void {
    slot.connection = connection;
    this.#byConnection.set(connection, slot);
  }

  of(connection: C): Slot<C> | undefined {
    return this.#byConnection.get(connection);
  }

  move(slot: Slot<C>, to: SlotState): void {
    const from = slot.state;
    const full = from === to && slot.holders >= slot.depth;
    if (full || (LEGAL_MOVES[from]! & (1 << to)) === 0) throw illegalMove(slot, to);
    this.#counts[from]! -= 1;
    this.#counts[to]! += 1;
    slot.state = to;
    if (from === SlotState.idle) takeOut(this.#idle, slot);
    else if (slot.depth > 1 && (to !== SlotState.leased || slot.holders === 0)) this.#unshare(slot);
    if (to === SlotState.idle) this.#idle.push(slot);
    else if (to === SlotState.gone) this.#forget(slot);
  }

  count(state: SlotState): number {
    return this.#counts[state]!;
  }

  /** Slots that count against `max`: all but the gone. */
  get size(): number {
    return this.#all.size;
  }

  /** Slots that are, or will be, of use: all but closing and gone ones. */
  get open(): number {
    return this.#all.size - this.#counts[SlotState.closing]!;
  }

  /** Top of the idle stack. */
  newestIdle(): Slot<C> | undefined {
    const { length } = this.#idle;
    // An index of -1 would be looked up as a name, which takes as long as a lease.
    return length === 0 ? undefined : this.#idle[length - 1];
  }

  /** The idle stack, the longest idle first. */
  idle(): readonly Slot<C>[] {
    return this.#idle;
  }

  /** It has been asked only whether it lives: if it is idle it goes back to where it stood among the idle ones. */
  putBack(slot: Slot<C>, idleSince: number): void {
    if (slot.state !== SlotState.idle) return;
    slot.idleSince = idleSince;
    takeOut(this.#idle, slot);
    const younger = this.#idle.findIndex((other) => other.idleSince > idleSince);
    this.#idle.splice(younger === -1 ? this.#idle.length : younger, 0, slot);
  }

  /** Leases an idle slot to the first of up to `depth` who are to share it. */
  share(slot: Slot<C>, depth: number): void {
    this.move(slot, SlotState.leased);
    slot.depth = depth;
    this.#shared.push(slot);
  }

  /** Shared slots, the longest shared first. */
  shared(): readonly Slot<C>[] {
    return this.#shared;
  }

  /** In the order of their birth. */
  [Symbol.iterator](): IterableIterator<Slot<C>> {
    return this.#all.values();
  }

  #unshare(slot: Slot<C>): void {
    slot.depth = 1;
    slot.loadMs = 0;
    takeOut(this.#shared, slot);
  }

  #forget(slot: Slot<C>): void {
    this.#all.delete(slot);
    if (slot.connection !== undefined) this.#byConnection.delete(slot.connection);
  }
}

function illegalMove({ id, state }: Slot<unknown>, to: SlotState): Error {
  return new Error(`bug: slot ${id} cannot move from ${STATE_NAMES[state]} to ${STATE_NAMES[to]}`);
}

function bits(...states: SlotState[]): number {
  return states.reduce<number>((mask, state) => mask | (1 << state), 0);
}

function takeOut<C>(slots: Slot<C>[], slot: Slot<C>): void {
  if (slots[slots.length - 1] === slot) slots.pop();
  else slots.splice(slots.lastIndexOf(slot), 1);
}
