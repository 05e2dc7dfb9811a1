import { STEP_MS } from './observation.js';

/**
 * A block lasts for so many steps, as many as make its throughput certain to the share `BLOCK_DEVIATION`, and until so many leases came
 * back; one in which they do not come in time shows nothing.
 */
const BLOCK_STEPS = { least: 2, most: 8 } as const;
const BLOCK_DEVIATION = 0.05;
const BLOCK_LEASES = 200;
const LONGEST_BLOCK_MS = 3_000;
/** After a change of size, this many times what a lease is held are not counted: those of before are still coming back. */
const SETTLING_HOLDS = 2;
const LONGEST_SETTLING_MS = 3_000;
/** Of the size that is tried, so much has to be in use before it is measured. */
const IN_USE = 0.9;

/** A verdict needs so many pairs, except where one is clearly worse; none after the most is one against it. */
const FEWEST_PAIRS = 4;
const MOST_PAIRS = 30;
/** Standard errors between a verdict and its opposite; pairs are looked at again and again. */
const CERTAINTY = 2.2;
/** Clearly worse, or better, is by this, and by so many standard errors of a pair. */
const CLEAR = 0.2;
const CLEAR_ERRORS = 4;
/** What one pair is off by, as far as blocks tell before there are pairs; worth so many of them. */
const LEAST_DEVIATION = 0.03;
const PRIOR_PAIRS = 2;

/** What a pool did in one step, at one size. */
export interface Work {
  readonly elapsedMs: number;
  /** Leases that came back. */
  readonly completed: number;
  /** How long they were held, on average. */
  readonly holdMs: number;
  readonly leased: number;
  readonly waiting: number;
}

/**
 * How many times as many leases have to come back a second. To be certain of nearly as many takes a tenth of the pairs that it takes to be
 * certain of as many: the machine's own ups and downs are larger than what there is between the two.
 */
export interface RequiredRatio {
  /** On average over the pairs. */
  readonly shown: number;
  /** With all that the average may be off by. */
  readonly certain: number;
}

interface Block {
  lastedMs: number;
  completed: number;
  holdSumMs: number;
  holdSteps: number;
}

const newBlock = (): Block => ({ lastedMs: 0, completed: 0, holdSumMs: 0, holdSteps: 0 });

export type Verdict = 'candidate' | 'incumbent';

/**
 * Two sizes of a pool whose callers queue, in turns: blocks of A B B A A B …, so that what changes meanwhile is as often for one as for
 * the other. Judged by the logarithms of the pairs' ratios of leases that came back a second, over their standard error.
 */
export class PairedTrial {
  readonly incumbent: number;
  readonly candidate: number;
  /** Logarithm of the ratio that the candidate has to show. */
  readonly #required: number;
  /** Logarithm of the ratio that it has to be above for certain. */
  readonly #least: number;
  readonly #blockMs: number;
  /** What one pair is taken to be off by until pairs have shown it. */
  readonly #deviation: number;
  /** Connections that may be leased now. */
  use: number;
  pairs = 0;
  #mean = 0;
  #squares = 0;
  #holdLogs = 0;
  #first: Block | undefined = undefined;
  #block = newBlock();
  #settling = true;
  #settledMs = 0;

  /**
   * @param requiredRatio of the candidate's leases a second to the incumbent's: what it has to show, and what is certain that it does.
   * @param noise by how much, as a share, the throughput of one step is off from the next one's for no reason.
   */
  constructor(incumbent: number, candidate: number, requiredRatio: RequiredRatio, noise: number) {
    this.incumbent = incumbent;
    this.candidate = candidate;
    this.#required = Math.log(requiredRatio.shown);
    this.#least = Math.log(requiredRatio.certain);
    this.use = incumbent;
    const { least, most } = BLOCK_STEPS;
    const steps = Math.max(least, Math.min(Math.ceil((noise / BLOCK_DEVIATION) ** 2), most));
    this.#blockMs = (steps - 0.5) * STEP_MS;
    this.#deviation = Math.max(LEAST_DEVIATION, Math.SQRT2 * (noise / Math.sqrt(steps)));
  }

  /** How many times as many leases came back a second with the candidate. */
  get throughputRatio(): number {
    return Math.exp(this.#mean);
  }

  /** How many times as long they were held. */
  get holdRatio(): number {
    return this.pairs === 0 ? 1 : Math.exp(this.#holdLogs / this.pairs);
  }

  /** What the event loop slept through says nothing: the block begins anew. */
  disturb(): void {
    this.#block = newBlock();
  }

  /** Undefined while it is open. */
  step(work: Work): Verdict | undefined {
    if (this.#settling && !this.#hasSettled(work)) {
      return this.#settledMs > LONGEST_SETTLING_MS ? 'incumbent' : undefined;
    }
    // Where nobody waits it was not the size that set the pace.
    if (work.waiting === 0) return 'incumbent';
    const block = this.#block;
    block.lastedMs += work.elapsedMs;
    block.completed += work.completed;
    if (work.holdMs > 0) {
      block.holdSumMs += work.holdMs;
      block.holdSteps += 1;
    }
    const clear = this.#clearly(block);
    if (clear !== undefined) return clear;
    if (block.lastedMs >= this.#blockMs && block.completed >= BLOCK_LEASES) return this.#endBlock();
    return block.lastedMs > LONGEST_BLOCK_MS ? 'incumbent' : undefined;
  }

  #hasSettled({ elapsedMs, holdMs, leased }: Work): boolean {
    // The step in which the size changed is in any case not counted.
    const isLong = this.#settledMs > 0 && this.#settledMs >= SETTLING_HOLDS * holdMs;
    this.#settledMs += elapsedMs;
    if (!isLong || leased > this.use || leased < IN_USE * this.use) return false;
    this.#settling = false;
    return true;
  }

  /** A candidate that does far less has cost enough after one step; and where a larger one does far more, so has the incumbent. */
  #clearly(block: Block): Verdict | undefined {
    if (this.use !== this.candidate || this.#first === undefined) return undefined;
    const isLarger = this.candidate > this.incumbent;
    const { completed, lastedMs } = block;
    const isLong = completed >= BLOCK_LEASES;
    if (!isLong && (isLarger || lastedMs < this.#blockMs)) return undefined;
    // Few leases are off by the root of their number.
    const deviation = isLong ? this.#deviation : Math.max(this.#deviation, 1 / Math.sqrt(completed));
    const clearly = Math.max(CLEAR, CLEAR_ERRORS * deviation);
    const beyond = logRatio(block, this.#first) - this.#required;
    const isClear = Math.abs(beyond) > clearly;
    if (!isClear || (beyond > 0 && !isLarger)) return undefined;
    if (this.pairs === 0) this.#judge(block, this.#first);
    return beyond > 0 ? 'candidate' : 'incumbent';
  }

  #endBlock(): Verdict | undefined {
    const block = this.#block;
    this.#block = newBlock();
    if (this.#first === undefined) {
      this.#first = block;
      this.#switch();
      return undefined;
    }
    // The second block of a pair is the first one's size in the next.
    const candidateLast = this.use === this.candidate;
    const [theirs, own] = candidateLast ? [this.#first, block] : [block, this.#first];
    this.#first = undefined;
    return this.#judge(own, theirs);
  }

  #switch(): void {
    this.use = this.use === this.candidate ? this.incumbent : this.candidate;
    this.#settling = true;
    this.#settledMs = 0;
  }

  #judge(own: Block, theirs: Block): Verdict | undefined {
    const ratio = logRatio(own, theirs);
    this.pairs += 1;
    const apart = ratio - this.#mean;
    this.#mean += apart / this.pairs;
    this.#squares += apart * (ratio - this.#mean);
    this.#holdLogs += Math.log(meanHoldMs(own) / meanHoldMs(theirs));
    const deviation = Math.sqrt(
      (this.#squares + PRIOR_PAIRS * this.#deviation ** 2) / (this.pairs - 1 + PRIOR_PAIRS),
    );
    const margin = (CERTAINTY * deviation) / Math.sqrt(this.pairs);
    if (this.pairs < FEWEST_PAIRS) return undefined;
    if (this.#mean >= this.#required && this.#mean - margin > this.#least) return 'candidate';
    const isAgainst = this.#mean + margin < this.#required;
    return isAgainst || this.pairs >= MOST_PAIRS ? 'incumbent' : undefined;
  }
}

/** Of the leases that came back a second. */
function logRatio(one: Block, other: Block): number {
  return Math.log((one.completed * other.lastedMs) / (other.completed * one.lastedMs));
}

/** Where no lease was timed, as if all had been as long. */
function meanHoldMs({ holdSumMs, holdSteps }: Block): number {
  return holdSteps === 0 ? 1 : holdSumMs / holdSteps;
}
