import { remaining } from '../decay.js';
import { CONNECTION_SECOND_MS, coldWaitMs, keepingMs } from './cost.js';
import { Ledger } from './ledger.js';
import type { Observation } from './observation.js';

/** A connection that nobody needs stays so long at the least: shorter gaps are no gaps. */
export const LEAST_KEPT_MS = 1_000;
/** Gaps are counted in bins half an octave wide, from one second to five hours. */
const BINS = 28;
const HALF_LIFE_MS = 1_800_000;
/** Each of the first levels is looked at for itself, those beyond in groups: the 33rd connection and the 34th are much alike. */
const OWN_GROUP = 12;
const GROUPS_PER_OCTAVE = 4;
/** Gaps that must have been seen before they are gone by, and how often the idle timeout a level may stand idle until then. */
const LEAST_SEEN = 2;
const LOAD_WEIGHT = 0.1;
const IDLE_SLACK_MS = 500;
const LONGEST_UNPROVEN = 1.5;

/** The connections of one group of levels: how long they stood idle before they were needed again, and what that was worth. */
class Group {
  readonly bins = new Float64Array(BINS);
  seen = 0;
  /** How often one was needed that had not been, and what it costs callers, all together, when it is not there. */
  needs = 0;
  missedMs = 0;
  keepMs = 0;
  /** Whether it was missing when more came than there may ever be connections. */
  crowded = false;
  /** The load that goes with such a peak: a step in which a crowd arrives sees only part of it. */
  load = 0;
  readonly gate = new Ledger();

  /** What it costs callers, on average, when one is not there: rare crowds count as they come. */
  get missMs(): number {
    return this.needs === 0 ? 0 : this.missedMs / this.needs;
  }
}

/**
 * Keeps as many connections warm as are worth it. Connection number k stands idle while the demand is below k, for a gap
 * that ends when the demand reaches k again. From the gaps seen it chooses how long it is kept: where the time it stands open,
 * and the wait it costs when it was closed too soon, are least together: the newsvendor's quantile of the gaps, and the
 * hybrid histogram of "Serverless in the Wild" (Shahrad et al., 2020). Until gaps are known it goes by the
 * user's idle timeout; after a crowd that no pool could have served at once it stays while that costs no more than its absence (ski
 * rental), one and a half idle timeouts at the most. In a load that is `idle` the same holds of every connection, where the idle timeout is longer.
 */
export class WarmFloor {
  readonly #groups: Group[] = [];
  /** When each level was last needed; index 0 is not used. */
  #neededAt = new Float64Array(8).fill(Number.NEGATIVE_INFINITY);
  #needed = 0;
  #top = 0;
  #forgottenAt = 0;
  #unprovenMs = Number.POSITIVE_INFINITY;
  readonly #onGap: GapListener;

  /** `onGap`: told of each gap that ends. */
  constructor(onGap: GapListener) {
    this.#onGap = onGap;
  }

  step(seen: Observation): void {
    const { now, elapsedMs } = seen;
    this.#unprovenMs = seen.unprovenMs;
    const beganAt = now - elapsedMs;
    const peak = Math.min(seen.peak, seen.limit);
    this.#makeRoom(peak);
    for (let level = peak + 1; level <= this.#needed; level += 1) this.#neededAt[level] = beganAt;
    for (let level = this.#needed + 1; level <= peak; level += 1) {
      const gapMs = beganAt - this.#neededAt[level]!;
      if (Number.isFinite(gapMs)) this.#gapEnded(level, gapMs, seen);
      else this.#missed(level, seen);
    }
    if (peak > 0 && !seen.atRest) {
      const group = this.#group(peak);
      group.load += LOAD_WEIGHT * (Math.min(seen.load, peak) - group.load);
    }
    this.#needed = peak;
    this.#top = Math.max(this.#top, peak);
  }

  /** Connections that are not to be closed at `now` before their idle timeout; those up to `foreseen` are another's care. */
  kept(now: number, idleTimeoutMs: number, foreseen: number): number {
    for (let level = this.#top; level > this.#needed; level -= 1) {
      const fallsAt = this.#fallsAt(level, idleTimeoutMs, foreseen);
      // The idle timeout itself is the upkeep's to keep, which knows it exactly.
      if (
        now < fallsAt ||
        (now < fallsAt + IDLE_SLACK_MS && fallsAt >= this.#neededAt[level]! + idleTimeoutMs)
      )
        return level;
    }
    return this.#needed;
  }

  /** Connections that are to stay at `now` though their idle timeout may be over. */
  protectedAt(now: number, idleTimeoutMs: number, foreseen: number): number {
    for (let level = this.#top; level > this.#needed; level -= 1) {
      const fallsAt = this.#fallsAt(level, idleTimeoutMs, foreseen);
      if (now < fallsAt && fallsAt > this.#neededAt[level]! + idleTimeoutMs) return level;
    }
    return 0;
  }

  /** What it cost callers each time that the connection of this level was not there; infinite where that is not known. */
  missMs(level: number): number {
    const group = this.#groups[groupOf(level)];
    return group === undefined || group.needs < LEAST_SEEN ? Number.POSITIVE_INFINITY : group.missMs;
  }

  /** When fewer than the `level` connections that are kept are to stay, if nothing happens until then. */
  fallsAt(level: number, idleTimeoutMs: number, foreseen: number): number {
    if (level <= this.#needed || level > this.#top) return Number.POSITIVE_INFINITY;
    return this.#fallsAt(level, idleTimeoutMs, foreseen);
  }

  #fallsAt(level: number, idleTimeoutMs: number, foreseen: number): number {
    const keepMs = level <= foreseen ? LEAST_KEPT_MS : this.#keepMs(groupOf(level), idleTimeoutMs);
    return this.#neededAt[level]! + keepMs;
  }

  #keepMs(index: number, idleTimeoutMs: number): number {
    const group = this.#groups[index]!;
    if (group.seen >= LEAST_SEEN) return group.gate.trusts ? group.keepMs : idleTimeoutMs;
    const worthMs = (group.missMs * 1_000) / CONNECTION_SECOND_MS;
    if (this.#unprovenMs < idleTimeoutMs) return Math.min(idleTimeoutMs, Math.max(this.#unprovenMs, worthMs));
    if (!group.crowded) return idleTimeoutMs;
    return Math.max(idleTimeoutMs, Math.min(worthMs, LONGEST_UNPROVEN * idleTimeoutMs));
  }

  #gapEnded(level: number, gapMs: number, seen: Observation): void {
    if (gapMs < LEAST_KEPT_MS) return;
    const group = this.#missed(level, seen);
    const keptMs = this.#keepMs(groupOf(level), seen.idleTimeoutMs);
    const costOf = (keepMs: number) =>
      keepingMs(1, Math.min(gapMs, keepMs)) + (gapMs > keepMs ? group.missMs : 0);
    if (group.keepMs > 0) group.gate.add(costOf(group.keepMs), costOf(seen.idleTimeoutMs), seen.now);
    this.#onGap({
      level,
      missMs: group.missMs,
      keptMs: costOf(keptMs),
      plainMs: costOf(seen.idleTimeoutMs),
      seen,
    });
    this.#forget(seen.now);
    const bin = Math.floor(2 * Math.log2(gapMs / LEAST_KEPT_MS));
    group.bins[Math.min(BINS - 1, bin)]! += 1;
    group.seen += 1;
    group.keepMs = cheapest(group);
  }

  /** What it costs when level `level` is missing and those below it are there. */
  #missed(level: number, seen: Observation): Group {
    const group = this.#group(level);
    const usualLoad = this.#groups[groupOf(Math.min(seen.peak, seen.limit))]?.load ?? 0;
    const demand = usualLoad > seen.load ? { ...seen, load: usualLoad } : seen;
    if (seen.peak > seen.limit) group.crowded = true;
    group.needs += 1;
    group.missedMs += Math.max(0, coldWaitMs(demand, level - 1) - coldWaitMs(demand, level));
    return group;
  }

  #group(level: number): Group {
    const index = groupOf(level);
    this.#groups[index] ??= new Group();
    return this.#groups[index];
  }

  #forget(now: number): void {
    const kept = remaining(now - this.#forgottenAt, HALF_LIFE_MS);
    if (kept > 0.9) return;
    this.#forgottenAt = now;
    for (const group of this.#groups) {
      if (group === undefined) continue;
      group.seen *= kept;
      group.needs *= kept;
      group.missedMs *= kept;
      for (let bin = 0; bin < BINS; bin += 1) group.bins[bin]! *= kept;
    }
  }

  #makeRoom(level: number): void {
    if (level < this.#neededAt.length) return;
    const more = new Float64Array(2 * level).fill(Number.NEGATIVE_INFINITY);
    more.set(this.#neededAt);
    this.#neededAt = more;
  }
}

/** A gap in which nobody needed the connection of this level, and what the ways through it cost. */
export interface Gap {
  readonly level: number;
  /** Callers' waits when the connection is not there at the end. */
  readonly missMs: number;
  /** The floor's way. */
  readonly keptMs: number;
  /** That of a pool which goes by the idle timeout. */
  readonly plainMs: number;
  readonly seen: Observation;
}

export type GapListener = (gap: Gap) => void;

/** How long to keep: the upper edge of that bin up to which keeping and missing cost least together. */
function cheapest({ bins, missMs }: Group): number {
  let later = 0;
  for (let bin = 0; bin < BINS; bin += 1) later += bins[bin]!;
  let waited = 0;
  let best = LEAST_KEPT_MS;
  let bestCost = later * (missMs + keepingMs(1, LEAST_KEPT_MS));
  for (let bin = 0; bin < BINS; bin += 1) {
    const here = bins[bin]!;
    if (here === 0) continue;
    const keepMs = LEAST_KEPT_MS * 2 ** ((bin + 1) / 2);
    later -= here;
    waited += here * keepingMs(1, keepMs / Math.SQRT2 ** 0.5);
    const cost = waited + later * (missMs + keepingMs(1, keepMs));
    if (cost >= bestCost) continue;
    bestCost = cost;
    best = keepMs;
  }
  if (!isLongestSeen(bins, best)) return best;
  // Where all gaps seen are worth keeping it through, a longer one may be, too.
  return Math.max(best, Math.min(LONGEST_UNPROVEN * best, (missMs * 1_000) / CONNECTION_SECOND_MS));
}

function isLongestSeen(bins: Float64Array, keepMs: number): boolean {
  let beyond = 0;
  for (let bin = Math.round(2 * Math.log2(keepMs / LEAST_KEPT_MS)); bin < BINS; bin += 1)
    beyond += bins[bin]!;
  return beyond < 0.5;
}

function groupOf(level: number): number {
  return level <= OWN_GROUP ? level : OWN_GROUP + Math.ceil(GROUPS_PER_OCTAVE * Math.log2(level / OWN_GROUP));
}
