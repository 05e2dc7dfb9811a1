import { barrierOf, LatestLeast, SharingProfile, SLOW_MS } from '../selection/sharing.js';
import { SlowMoments } from '../selection/slow-moments.js';
import type { Classification, Dialect } from './classify.js';
import { type Names, Preparation } from './preparation.js';
import type { QueryProfile, QueryProfiles } from './profiles.js';
import { Recent } from './recent.js';

/** Texts that a pool remembers. */
const MAX_TEXTS = 1_024;
const MAX_TEXT_LENGTH = 8_192;

const ROUND_TRIP_WINDOW = 1_024;

/** One text that `query` was given, as the pool knows it. */
export interface Statement {
  readonly text: string;
  /** Of all texts that share its fingerprint. */
  readonly profile: QueryProfile;
  readonly sharing: SharingProfile;
  readonly preparation: Preparation;
}

/** What a pool did with its statements; each number only grows. */
export interface StatementCounters {
  /** Run by a name that we gave. */
  preparedHits: number;
  /** Names given, by connection. */
  prepared: number;
  /** Of `prepared`, those on a connection that nobody waited for, before its first lease. */
  preparedAhead: number;
  /** Names taken back to stay within the bound of a connection. */
  deallocated: number;
  /** Statements whose name we gave up because they took longer with it. */
  unprepared: number;
  /** Sent once more, unseen: their shared connection had died, or the name we gave was refused. */
  redispatched: number;
  /** Kinds of statements moved out of shared connections because one was slow. */
  movedOut: number;
}

/** What one pool knows of the statements that it is given. Texts hold literals: they never leave it. */
export class Statements {
  readonly counters: StatementCounters = {
    preparedHits: 0,
    prepared: 0,
    preparedAhead: 0,
    deallocated: 0,
    unprepared: 0,
    redispatched: 0,
    movedOut: 0,
  };
  /** By which names they go now. */
  readonly names: Names = { generation: 0 };
  readonly #profiles: QueryProfiles;
  readonly #dialect: Dialect;
  readonly #byText = new Recent<Statement>(MAX_TEXTS);
  readonly #roundTrips = new LatestLeast(ROUND_TRIP_WINDOW);
  readonly #moments = new SlowMoments<SharingProfile>(SLOW_MS);
  readonly #onNew: ((classification: Classification) => void) | undefined;

  /** `onNew` is told of a text that is not remembered, once it is read. */
  constructor(profiles: QueryProfiles, dialect: Dialect, onNew?: (classification: Classification) => void) {
    this.#profiles = profiles;
    this.#dialect = dialect;
    this.#onNew = onNew;
  }

  /** The shortest time in which anything was answered lately, in milliseconds. */
  get roundTripMs(): number {
    return this.#roundTrips.value;
  }

  /**
   * Undefined for a text that is too long to be remembered, or whose fingerprint has no profile of its own. A repeated string
   * costs tens of nanoseconds.
   * @param isHeld whether it is run on a connection that its caller holds: what it leaves there is his.
   */
  of(text: string, isHeld = false): Statement | undefined {
    if (text.length > MAX_TEXT_LENGTH) return undefined;
    const known = this.#byText.get(text);
    if (known !== undefined && !known.profile.forgotten) {
      known.profile.wanted = true;
      return known;
    }
    const statement = this.#understand(text, isHeld);
    if (statement !== undefined) this.#byText.set(text, statement);
    return statement;
  }

  /** Takes in how long a connection was held for one statement alone. */
  learnAlone(statement: Statement, heldMs: number, named: boolean): void {
    this.#roundTrips.record(heldMs);
    statement.sharing.learnAlone(heldMs);
    this.#lookForSlow(statement, heldMs);
    if (statement.preparation.learn(heldMs, named)) this.counters.unprepared += 1;
  }

  /**
   * Takes in how long a shared connection was busy with one. The first answer that is read after the event loop stood still seems
   * to have taken all that time: only one over which the connection fell silent was slow. `isService` as for
   * `SharingProfile#learnShared`.
   */
  learnShared(statement: Statement, servedMs: number, isService: boolean, fellSilent: boolean): void {
    if (statement.sharing.learnShared(servedMs, isService)) this.counters.movedOut += 1;
    this.#lookForSlow(statement, fellSilent ? servedMs : Math.min(servedMs, SLOW_MS));
  }

  #lookForSlow({ sharing }: Statement, tookMs: number): void {
    if (this.#moments.take(sharing, tookMs)?.foundSlow()) this.counters.movedOut += 1;
  }

  #understand(text: string, isHeld: boolean): Statement | undefined {
    const profile = this.#profiles.of(text, this.#dialect);
    const { classification } = profile;
    if (classification === undefined) return undefined;
    if (!isHeld) this.#onNew?.(classification);
    profile.sharing ??= new SharingProfile(barrierOf(classification));
    const preparation = new Preparation(text, classification, this.names);
    return { text, profile, sharing: profile.sharing, preparation };
  }
}
