import type { Classification, Verb } from './classify.js';

/** Runs of one text before it is prepared; pgjdbc's `prepareThreshold`. */
const RUNS_TO_PREPARE = 5;

/** Most statements prepared on one connection; pgjdbc's `preparedStatementCacheQueries`. */
export const MOST_PREPARED = 256;

/** One run in so many has no name, so that it stays known what the name is worth: more of the first ones. */
const CONTROL_MASK = 127;
const FIRST_CONTROL_MASK = 15;
const FIRST_RUNS = 256;

/** Runs without the name, each beside the one with it before, until they are compared. */
const PAIRS = 16;
/** Of their differences, how far back they are remembered. */
const PAIRS_REMEMBERED = 64;

/** A name is given up when runs with it take this many times longer, and more than noise can explain. */
const SLOWER = 1.5;
const SLOWER_BY_MS = 0.2;
/** Standard errors by which the difference must exceed that: looked at again and again, by chance it hardly ever does. */
const SURELY = 4;

/** A name that was given up is tried again after so many runs, then after twice as many: plans and data change. */
const RUNS_OF_REST = 4_096;

/** Where what a text stands for changes again and again, as with the schemas of many tenants, so many transactions are enough. */
const MOST_LOST_TRANSACTIONS = 2;

/** Names begin so: whoever sees one in `pg_prepared_statements` can tell where it is from. */
const PREFIX = 'enhanced_pool_';

/** Whether a statement that goes by `name` has it from us. */
export function isOurName(name: unknown): boolean {
  return typeof name === 'string' && name.startsWith(PREFIX);
}

const PREPARABLE: ReadonlySet<Verb> = new Set(['select', 'insert', 'update', 'delete']);

/**
 * How many times longer runs with the name take than runs without it that came right after: what slows down the machine slows
 * down both. Logarithms, so that one run that waited does not drown the others.
 */
class Comparison {
  #pairs = 0;
  #mean = 0;
  #variance = 0;
  #byMs = 0;

  take(namedMs: number, unnamedMs: number): void {
    this.#pairs += 1;
    const weight = 1 / Math.min(this.#pairs, PAIRS_REMEMBERED);
    const away = Math.log(Math.max(namedMs, 0.001) / Math.max(unnamedMs, 0.001)) - this.#mean;
    this.#mean += away * weight;
    this.#variance = (1 - weight) * (this.#variance + weight * away * away);
    this.#byMs += (namedMs - unnamedMs - this.#byMs) * weight;
  }

  get namedIsSlower(): boolean {
    if (this.#pairs < PAIRS || this.#byMs < SLOWER_BY_MS) return false;
    const error = Math.sqrt(this.#variance / Math.min(this.#pairs, PAIRS_REMEMBERED));
    return this.#mean - SURELY * error > Math.log(SLOWER);
  }
}

/** Which names the statements of one pool go by: once the server was found to go by an outdated one, all are given anew. */
export interface Names {
  generation: number;
}

function nameOf(key: string, { generation }: Names): string {
  return `${key}_${generation}`;
}

/** Whether, and by which name, one text is prepared. */
export class Preparation {
  /** Whether it may have a name at all. */
  readonly possible: boolean;
  /** What all its names begin with. */
  readonly key: string;
  readonly #names: Names;
  #generation: number;
  #name: string;
  #runs = 0;
  #restsUntilRun = 0;
  #nextRest = RUNS_OF_REST;
  #comparison = new Comparison();
  #lostTransactions = 0;
  /** The latest run with the name. */
  #namedMs: number | undefined = undefined;

  constructor(text: string, { verb, multiStatement }: Classification, names: Names) {
    this.possible = PREPARABLE.has(verb) && !multiStatement;
    this.key = PREFIX + hashOf(text);
    this.#names = names;
    this.#generation = names.generation;
    this.#name = nameOf(this.key, names);
  }

  /** By what it is prepared now. */
  get name(): string {
    if (this.#generation !== this.#names.generation) {
      this.#generation = this.#names.generation;
      this.#name = nameOf(this.key, this.#names);
    }
    return this.#name;
  }

  /** Counts a run; true when it is to go by its name. */
  next(): boolean {
    if (!this.possible) return false;
    this.#runs += 1;
    if (this.#runs < this.#restsUntilRun) return false;
    const mask = this.#runs <= FIRST_RUNS ? FIRST_CONTROL_MASK : CONTROL_MASK;
    return this.#runs > RUNS_TO_PREPARE && (this.#runs & mask) !== 0;
  }

  /**
   * The server refused `name`, or what it stood for: the next runs use another. So do those of all other statements, for what has become of a
   * table shows in some of them only. False when that was known.
   */
  renew(name: string): boolean {
    if (name !== this.name) return false;
    this.#names.generation += 1;
    return true;
  }

  /** Takes in how long a run had a connection to itself. True when the name is given up for it: it made things slower. */
  learn(heldMs: number, named: boolean): boolean {
    // Before it had a name the pool was cold, too: only runs that alternate are compared.
    if (this.#runs <= RUNS_TO_PREPARE || this.#runs < this.#restsUntilRun) return false;
    if (named) {
      this.#namedMs = heldMs;
      return false;
    }
    if (this.#namedMs === undefined) return false;
    this.#comparison.take(this.#namedMs, heldMs);
    if (!this.#comparison.namedIsSlower) return false;
    this.#restsUntilRun = this.#runs + this.#nextRest;
    this.#nextRest *= 2;
    this.#comparison = new Comparison();
    this.#namedMs = undefined;
    return true;
  }

  /** Whether it may go by its name in a transaction, which a refusal would end. */
  get mayCostTransactions(): boolean {
    return this.#lostTransactions < MOST_LOST_TRANSACTIONS;
  }

  /** A refusal of its name has ended a transaction. `isRenewed`: its next name is no longer what was refused. */
  lostTransaction(isRenewed: boolean): void {
    this.#lostTransactions += isRenewed ? 1 : MOST_LOST_TRANSACTIONS;
  }
}

interface Prepared {
  readonly name: string;
  readonly text: string;
  usedAt: number;
}

/** A statement that is prepared somewhere. */
export interface NamedStatement {
  /** What all its names begin with. */
  readonly key: string;
  readonly name: string;
  readonly text: string;
}

/**
 * The statements that are run most just now, the hottest first, by what is prepared on the connections there are. Where a statement is a
 * share p of what runs on one, it has been 1/p runs since the last of it: so that gap tells, and nobody has to count. Only by the names that
 * `names` gives now: nothing goes by older ones any more.
 */
export function hottest(
  connections: Iterable<PreparedStatements>,
  most: number,
  names: Names,
): NamedStatement[] {
  const heats = new Map<string, { readonly statement: NamedStatement; heat: number }>();
  for (const prepared of connections) {
    for (const { statement, runsSince } of prepared.statements()) {
      if (statement.name !== nameOf(statement.key, names)) continue;
      const known = heats.get(statement.name) ?? { statement, heat: 0 };
      known.heat += 1 / (1 + runsSince);
      heats.set(statement.name, known);
    }
  }
  return [...heats.values()]
    .sort((one, other) => other.heat - one.heat)
    .slice(0, most)
    .map(({ statement }) => statement);
}

/** The statements that we prepared on one connection: the least recently used one makes room. */
export class PreparedStatements {
  readonly #prepared = new Map<string, Prepared>();
  #clock = 0;

  /** Whether `key` is prepared by this name. */
  use(key: string, name: string): boolean {
    const known = this.#prepared.get(key);
    if (known?.name !== name) return false;
    this.#clock += 1;
    known.usedAt = this.#clock;
    return true;
  }

  /** Each with how many runs of others there were since its last. */
  *statements(): IterableIterator<{ readonly statement: NamedStatement; readonly runsSince: number }> {
    for (const [key, { name, text, usedAt }] of this.#prepared) {
      yield { statement: { key, name, text }, runsSince: this.#clock - usedAt };
    }
  }

  /** From now on `key` is prepared by this name. Gives the names that are to be deallocated for it. */
  add({ key, name, text }: NamedStatement): string[] {
    const replaced = this.#prepared.get(key)?.name;
    this.#prepared.delete(key);
    const names = replaced === undefined ? [] : [replaced];
    if (this.#prepared.size >= MOST_PREPARED) names.push(this.#dropOldest());
    this.#clock += 1;
    this.#prepared.set(key, { name, text, usedAt: this.#clock });
    return names;
  }

  #dropOldest(): string {
    let oldest: [string, Prepared] | undefined;
    for (const entry of this.#prepared) {
      if (oldest === undefined || entry[1].usedAt < oldest[1].usedAt) oldest = entry;
    }
    const [key, { name }] = oldest!;
    this.#prepared.delete(key);
    return name;
  }
}

/** 53 bits of a text, in base 36 (cyrb53). Two texts of one pool share them less than once in 10^9 pools. */
function hashOf(text: string): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(36);
}
