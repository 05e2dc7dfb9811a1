import type { Classification, Verb } from './classify.js';

/** Runs of one text before it is prepared; pgjdbc's `prepareThreshold`. */
const RUNS_TO_PREPARE = 5;

/** Most statements prepared on one connection; pgjdbc's `preparedStatementCacheQueries`. */
export const MOST_PREPARED = 256;

/** One run in so many has no name, so that it stays known what the name is worth. */
const CONTROL_MASK = 127;

/** Averages: plain ones over the first runs, then exponential ones of this weight. */
const WEIGHT = 1 / 32;

/** Runs with and without the name before they are compared. */
const NAMED_RUNS = 32;
const UNNAMED_RUNS = 8;

/** A name is given up when runs with it take this many times longer, and more than noise can explain. */
const SLOWER = 1.5;
const SLOWER_BY_MS = 0.2;

/** Names begin so: whoever sees one in `pg_prepared_statements` can tell where it is from. */
const PREFIX = 'enhanced_pool_';

const PREPARABLE: ReadonlySet<Verb> = new Set(['select', 'insert', 'update', 'delete']);

/** A geometric mean: one run that waited for a busy machine does not drown the others. */
class Average {
  runs = 0;
  #logMs = 0;

  take(ms: number): void {
    this.runs += 1;
    this.#logMs += (Math.log(Math.max(ms, 0.001)) - this.#logMs) * Math.max(WEIGHT, 1 / this.runs);
  }

  get ms(): number {
    return this.runs === 0 ? 0 : Math.exp(this.#logMs);
  }
}

/** Whether, and by which name, one text is prepared. */
export class Preparation {
  /** By what it is prepared now; a new one once the server refused the old. */
  name: string;
  /** Whether it may have a name at all. */
  readonly possible: boolean;
  /** What all its names begin with. */
  readonly key: string;
  #generation = 0;
  #runs = 0;
  #givenUp = false;
  readonly #named = new Average();
  readonly #unnamed = new Average();

  constructor(text: string, { verb, multiStatement }: Classification) {
    this.possible = PREPARABLE.has(verb) && !multiStatement;
    this.key = PREFIX + hashOf(text);
    this.name = `${this.key}_0`;
  }

  /** Counts a run; true when it is to go by its name. */
  next(): boolean {
    if (!this.possible || this.#givenUp) return false;
    this.#runs += 1;
    return this.#runs > RUNS_TO_PREPARE && (this.#runs & CONTROL_MASK) !== 0;
  }

  /** The server refused `name`, or what it stood for: the next runs use another. False when that was known. */
  renew(name: string): boolean {
    if (name !== this.name) return false;
    this.#generation += 1;
    this.name = `${this.key}_${this.#generation}`;
    return true;
  }

  /** Takes in how long a run had a connection to itself. True when the name is given up for it: it made things slower. */
  learn(heldMs: number, named: boolean): boolean {
    // Before it had a name the pool was cold, too: only runs that alternate are compared.
    if (this.#givenUp || this.#runs <= RUNS_TO_PREPARE) return false;
    (named ? this.#named : this.#unnamed).take(heldMs);
    if (!named || this.#named.runs < NAMED_RUNS || this.#unnamed.runs < UNNAMED_RUNS) return false;
    this.#givenUp = this.#named.ms > this.#unnamed.ms * SLOWER + SLOWER_BY_MS;
    return this.#givenUp;
  }
}

interface Prepared {
  readonly name: string;
  usedAt: number;
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

  /** From now on `key` is prepared by this name. Gives the names that are to be deallocated for it. */
  add(key: string, name: string): string[] {
    const replaced = this.#prepared.get(key)?.name;
    this.#prepared.delete(key);
    const names = replaced === undefined ? [] : [replaced];
    if (this.#prepared.size >= MOST_PREPARED) names.push(this.#dropOldest());
    this.#clock += 1;
    this.#prepared.set(key, { name, usedAt: this.#clock });
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
