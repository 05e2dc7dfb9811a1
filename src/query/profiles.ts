import type { Hint } from '../hint.js';
import type { Outcome } from '../lease.js';
import type { SharingProfile } from '../selection/sharing.js';
import type { QueryReport } from '../stats.js';
import { type Classification, classify, type Dialect } from './classify.js';
import { Recent } from './recent.js';

/** Fingerprints that a pool remembers; the next ones share `_other` until one of these is no longer asked for. */
const MAX_PROFILES = 512;

/** Texts whose profile is found without reading them. */
const MAX_TEXTS = 1_024;
const MAX_TEXT_LENGTH = 8_192;

/** Averages are plain ones over so many runs and exponential ones (weight 1/20) from then on. */
const AVERAGED_RUNS = 20;
/** What a query usually takes is looked at anew so often. */
const USUAL_FOR_MS = 30_000;

/** What is left, after a run, of the longest one's excess over it: it is halved in 35 runs. */
const LONGEST_KEPT = 0.98;

/** Kinds of queries, few enough to tell each of them: by the first word, else `session` where several statements or none are known. */
export const QUERY_KINDS = ['select', 'insert', 'update', 'delete', 'other', 'session'] as const;
export type QueryKind = (typeof QUERY_KINDS)[number];

/** Which lane a query takes while the pool keeps lanes. */
export type Lane = 'fast' | 'slow';

/**
 * What a query's own runs have taught: the queries of one fingerprint, of one `queryType`, or all that is known as
 * `session`. Only timed leases teach (all up to 1,000 a second, then a sample), in constant memory, and old ones fade.
 */
export class QueryProfile {
  /** Of the SQL's shape; else the caller's `queryType`, `session` or `_other`. */
  readonly fingerprint: string;
  readonly dialect: Dialect | undefined;
  /** What the text says; undefined where there was no text. */
  readonly classification: Classification | undefined;
  readonly kind: QueryKind;
  /** Timed runs so far. */
  runs = 0;
  /** Timed runs that ended as `failed` or `broken`. */
  failures = 0;
  /** Share of the latest runs that failed: an exponential average, from 0 to 1. */
  failureRate = 0;
  /** Exponential average of how long a connection was held, in milliseconds. */
  meanMs = 0;
  /** The geometric counterpart of `meanMs`, which single long runs hardly move; see `typicalMs`. */
  meanLogMs = 0;
  /** The longest hold in milliseconds; it fades towards the shorter ones that follow. */
  longestMs = 0;
  /** Time its timed runs took together, in milliseconds. */
  totalMs = 0;
  lane: Lane = 'fast';
  /** Share of its latest runs that were slow beside the pool's others. */
  slowShare = 0;
  /** What its statements have shown in view of sharing a connection; undefined where nobody asked. */
  sharing: SharingProfile | undefined = undefined;
  /** Whether it was asked for since the last look for one to forget. */
  wanted = false;
  /** Whether it has been forgotten, so that whoever still has it asks again. */
  forgotten = false;
  #usualMs = 0;
  #usualSince = Number.NEGATIVE_INFINITY;

  constructor(fingerprint: string, dialect?: Dialect, classification?: Classification) {
    this.fingerprint = fingerprint;
    this.dialect = dialect;
    this.classification = classification;
    this.kind = kindOf(fingerprint, classification);
  }

  /** How long a run usually holds its connection, in milliseconds: the geometric mean. */
  get typicalMs(): number {
    return this.runs === 0 ? 0 : Math.exp(this.meanLogMs);
  }

  /**
   * `typicalMs` as it was some time ago: what a trial compares with must not learn within a second or two from what is on
   * trial, or both ways look alike.
   */
  usualMs(now: number): number {
    if (now - this.#usualSince >= USUAL_FOR_MS) {
      this.#usualMs = this.typicalMs;
      this.#usualSince = now;
    }
    return this.#usualMs;
  }

  /** A hold that ended early because it failed says nothing about how long the query takes. */
  learn(heldMs: number, outcome: Outcome): void {
    const failed = outcome !== 'ok';
    this.runs += 1;
    const weight = 1 / Math.min(this.runs, AVERAGED_RUNS);
    if (failed) this.failures += 1;
    this.failureRate += ((failed ? 1 : 0) - this.failureRate) * weight;
    this.totalMs += heldMs;
    if (failed && heldMs < this.meanMs) return;
    this.meanMs += (heldMs - this.meanMs) * weight;
    this.meanLogMs += (Math.log(Math.max(heldMs, 0.001)) - this.meanLogMs) * weight;
    this.longestMs = heldMs >= this.longestMs ? heldMs : heldMs + (this.longestMs - heldMs) * LONGEST_KEPT;
  }
}

/** The profiles of one pool's queries. No text and no literal leaves it: a profile holds a fingerprint and a summary. */
export class QueryProfiles implements Iterable<QueryProfile> {
  /** Whoever holds a connection for more than one statement, or for one that is not known. */
  readonly session = new QueryProfile('session');
  /** All that came when there was no room for a profile of their own. */
  readonly other = new QueryProfile('_other');
  readonly #profiles = new Map<string, QueryProfile>();
  /** Made when first needed: most pools read no query. */
  #byText: Recent<QueryProfile> | undefined = undefined;

  /** The profile of what a caller says it will run. */
  ofHint(hint: Hint | undefined): QueryProfile {
    if (hint === undefined || hint.requiresTransaction === true) return this.session;
    // Not every caller has a compiler.
    if (typeof hint.sql === 'string') return this.of(hint.sql, hint.dialect ?? 'postgresql');
    return hint.queryType === undefined ? this.session : this.ofType(hint.queryType);
  }

  /** The profile of all texts that share this one's fingerprint. A repeated string costs tens of nanoseconds. */
  of(sql: string, dialect: Dialect): QueryProfile {
    this.#byText ??= new Recent(MAX_TEXTS);
    const known = sql.length > MAX_TEXT_LENGTH ? undefined : this.#byText.get(sql);
    if (known !== undefined && known.dialect === dialect && !known.forgotten) {
      known.wanted = true;
      return known;
    }
    const classification = classify(sql, dialect);
    const profile = this.#find(`${dialect} ${classification.fingerprint}`, dialect, classification);
    if (profile !== this.other && sql.length <= MAX_TEXT_LENGTH) this.#byText.set(sql, profile);
    return profile;
  }

  /** The profile of a kind of query that the caller names. */
  ofType(queryType: string): QueryProfile {
    return this.#find(`type ${queryType}`, undefined, undefined, queryType);
  }

  get size(): number {
    return this.#profiles.size;
  }

  /** Those whose runs took most time together, the costliest first. */
  costliest(most: number): QueryReport[] {
    return [...this]
      .filter(({ runs }) => runs > 0)
      .sort((one, other) => other.totalMs - one.totalMs)
      .slice(0, most)
      .map(
        ({ fingerprint, classification, runs, failures, failureRate, meanMs, longestMs, totalMs, lane }) => {
          const summary = classification?.summary;
          return { fingerprint, summary, runs, failures, failureRate, meanMs, longestMs, totalMs, lane };
        },
      );
  }

  /** `session` and `_other` first. */
  *[Symbol.iterator](): IterableIterator<QueryProfile> {
    yield this.session;
    yield this.other;
    yield* this.#profiles.values();
  }

  #find(
    key: string,
    dialect: Dialect | undefined,
    classification: Classification | undefined,
    name = classification!.fingerprint,
  ): QueryProfile {
    const known = this.#profiles.get(key);
    if (known !== undefined) {
      known.wanted = true;
      return known;
    }
    if (this.#profiles.size >= MAX_PROFILES && !this.#forgetOne()) return this.other;
    const profile = new QueryProfile(name, dialect, classification);
    this.#profiles.set(key, profile);
    return profile;
  }

  /** Looks at one profile, the one it looked at longest ago, and forgets it unless it was wanted since (CLOCK). */
  #forgetOne(): boolean {
    const [oldest] = this.#profiles;
    const [key, profile] = oldest!;
    this.#profiles.delete(key);
    if (!profile.wanted) {
      profile.forgotten = true;
      return true;
    }
    profile.wanted = false;
    this.#profiles.set(key, profile);
    return false;
  }
}

function kindOf(fingerprint: string, classification: Classification | undefined): QueryKind {
  if (classification === undefined) return fingerprint === 'session' ? 'session' : 'other';
  const { verb } = classification;
  return verb === 'select' || verb === 'insert' || verb === 'update' || verb === 'delete' ? verb : 'other';
}
