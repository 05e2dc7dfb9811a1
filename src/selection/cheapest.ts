import type { QueryProfile } from '../query/profiles.js';
import { Survival } from './survival.js';
import type { TrackRecord } from './track-record.js';

/** Why a connection other than the newest idle one was taken: what made that one dearer. */
export const PASSED_OVER_REASONS = ['statement', 'settings', 'slow', 'doubtful', 'lifetime'] as const;
export type PassedOverReason = (typeof PASSED_OVER_REASONS)[number];

/** What is known of an idle connection. */
export interface IdleConnection {
  readonly openedAt: number;
  readonly expiresAt: number;
  readonly idleSince: number;
  readonly isSuspect: boolean;
  readonly track: TrackRecord;
  /** What the latest holder who named his session settings called them. */
  readonly settings: string | undefined;
  /** How often another was taken in its place since it was last leased. */
  readonly passedOver: number;
}

/** What is to be run, and what matters for it. */
export class Wanted {
  /** Undefined where nothing is known of it. */
  query: Pick<QueryProfile, 'typicalMs'> | undefined = undefined;
  /** The statement that a connection may have prepared; undefined where there is none, or it does not matter. */
  statement: string | undefined = undefined;
  /** The session settings under which it is to run; undefined where nobody named them, or it does not matter. */
  settings: string | undefined = undefined;
  /** Whether slowness, idle time and lifetime matter. */
  weighsHealth = false;
  /** What it costs to open a connection, in milliseconds. */
  openMs = 0;
  now = 0;
  /** A connection idle for longer would be checked first, which costs more than any of this may win. */
  checkAfterIdleMs = Number.POSITIVE_INFINITY;
}

/** Another connection than the newest one. */
export interface Choice<Connection> {
  readonly connection: Connection;
  readonly costMs: number;
  readonly newestMs: number;
  /** The dearest part of the newest one's cost. */
  readonly reason: PassedOverReason;
  /** The optimisation to which that part belongs. */
  readonly flag: 'selection' | 'affinity';
}

/** So many of the newest idle connections are looked at. */
const CANDIDATES = 4;
/** What costs less is taken without a look at the others. */
const NEGLIGIBLE_MS = 0.05;
/** So often a connection may be passed over in a row: what is known of it must be learned anew, and nobody is to starve. */
const MOST_PASSED_OVER = 16;
/** In the last part of its lifetime a connection is left to end. */
const LAST_OF_LIFETIME = 0.05;
const LAST_OF_LIFETIME_MS = 1;
/** What preparing a statement costs: of five tables on loopback, parsing and planning took half a millisecond and more. */
const PREPARE_MS = 0.5;
/** What other settings cost: they are made again, a round trip, and statements that had been planned under them are planned anew. */
const SETTINGS_MS = 0.5;

/**
 * Which of the newest idle connections a query is cheapest on, in milliseconds that it would have to wait for longer:
 *
 *     cost = [statement not prepared] · 0.5 ms + [other session settings] · 0.5 ms + excess ms + P(dead | idle) · open ms + [end of lifetime] · 1 ms
 *
 * The newest one nearly always costs nothing and is taken: the others are left to grow old.
 */
export class Cheapest<Connection extends IdleConnection> {
  /** How connections fare that are idle. */
  readonly survival = new Survival();
  readonly #hasPrepared: (connection: Connection, statement: string) => boolean | undefined;

  /** @param hasPrepared undefined where nobody knows. */
  constructor(hasPrepared: (connection: Connection, statement: string) => boolean | undefined) {
    this.#hasPrepared = hasPrepared;
  }

  /** Undefined when the newest one, the last of `idle`, is to be taken. */
  choose(idle: readonly Connection[], wanted: Wanted): Choice<Connection> | undefined {
    const newest = idle[idle.length - 1]!;
    if (this.#isSound(newest, wanted)) return undefined;
    const newestMs = this.#cost(newest, wanted);
    if (newestMs < NEGLIGIBLE_MS || newest.passedOver >= MOST_PASSED_OVER) return undefined;
    let connection = newest;
    let costMs = newestMs;
    const last = Math.max(0, idle.length - CANDIDATES);
    for (let at = idle.length - 2; at >= last && costMs >= NEGLIGIBLE_MS; at -= 1) {
      const other = idle[at]!;
      if (wanted.now - other.idleSince >= wanted.checkAfterIdleMs) break;
      const otherMs = other.isSuspect ? Number.POSITIVE_INFINITY : this.#cost(other, wanted);
      if (otherMs + NEGLIGIBLE_MS >= costMs) continue;
      connection = other;
      costMs = otherMs;
    }
    if (connection === newest) return undefined;
    const reason = this.#reasonOf(newest, wanted);
    const flag = reason === 'statement' || reason === 'settings' ? 'affinity' : 'selection';
    return { connection, costMs, newestMs, reason, flag };
  }

  /** Nothing speaks against it: for others were idle for longer, the chance that it died speaks for none of them. */
  #isSound(connection: Connection, wanted: Wanted): boolean {
    const { statement, weighsHealth } = wanted;
    if (settingsMs(connection, wanted) > 0) return false;
    if (statement !== undefined && this.#hasPrepared(connection, statement) === false) return false;
    return !weighsHealth || (!connection.track.seemsSlow && !isLastOfLifetime(connection, wanted));
  }

  #cost(connection: Connection, wanted: Wanted): number {
    const specialMs = this.#statementMs(connection, wanted) + settingsMs(connection, wanted);
    if (!wanted.weighsHealth) return specialMs;
    return (
      specialMs +
      connection.track.excessMs(wanted.query, wanted.now) +
      this.#deathMs(connection, wanted) +
      lastOfLifetimeMs(connection, wanted)
    );
  }

  #statementMs(connection: Connection, { statement }: Wanted): number {
    return statement !== undefined && this.#hasPrepared(connection, statement) === false ? PREPARE_MS : 0;
  }

  #deathMs({ idleSince }: Connection, { openMs, now }: Wanted): number {
    return this.survival.deadAfter(now - idleSince) * openMs;
  }

  #reasonOf(connection: Connection, wanted: Wanted): PassedOverReason {
    const healthMs = (partMs: number) => (wanted.weighsHealth ? partMs : 0);
    const parts: Record<PassedOverReason, number> = {
      statement: this.#statementMs(connection, wanted),
      settings: settingsMs(connection, wanted),
      slow: healthMs(connection.track.excessMs(wanted.query, wanted.now)),
      doubtful: healthMs(this.#deathMs(connection, wanted)),
      lifetime: healthMs(lastOfLifetimeMs(connection, wanted)),
    };
    return PASSED_OVER_REASONS.reduce((dearest, reason) =>
      parts[reason] > parts[dearest] ? reason : dearest,
    );
  }
}

function settingsMs(connection: IdleConnection, { settings }: Wanted): number {
  return settings !== undefined && connection.settings !== settings ? SETTINGS_MS : 0;
}

function isLastOfLifetime({ openedAt, expiresAt }: IdleConnection, { now }: Wanted): boolean {
  return expiresAt - now < LAST_OF_LIFETIME * (expiresAt - openedAt);
}

function lastOfLifetimeMs(connection: IdleConnection, wanted: Wanted): number {
  return isLastOfLifetime(connection, wanted) ? LAST_OF_LIFETIME_MS : 0;
}
