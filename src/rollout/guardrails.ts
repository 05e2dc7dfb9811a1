import type { BlockMeasures } from './block.js';
import { Evidence } from './evidence.js';

/** A measure that must not get worse: what it is, what is added so that small numbers weigh little, and what is no matter. */
interface Guardrail {
  readonly name: string;
  readonly read: (measures: BlockMeasures) => number;
  readonly offset: number;
  /** A ratio up to this is as good as none. */
  readonly indifferentRatio: number;
}

const GUARDRAILS: readonly Guardrail[] = [
  { name: 'acquire p95', read: (block) => block.waitP95Ms, offset: 0.25, indifferentRatio: 1.1 },
  { name: 'holding time', read: (block) => block.holdRatio, offset: 0, indifferentRatio: 1.05 },
  { name: 'acquire errors', read: (block) => block.failedShare, offset: 0.005, indifferentRatio: 1.5 },
  { name: 'lost connections', read: (block) => block.faultShare, offset: 0.005, indifferentRatio: 1.5 },
  { name: 'connections opened', read: (block) => block.opened, offset: 3, indifferentRatio: 1.5 },
  { name: 'event loop lag', read: (block) => block.lagMs, offset: 10, indifferentRatio: 1.5 },
];

/** Chance that one guardrail trips although nothing is wrong. Six of them and a lifetime of tests stay below 1 %. */
const FALSE_ALARM = 0.0008;

/** The case against one optimisation: pairs of blocks with it and without it, guardrail by guardrail. */
export class Case {
  readonly #evidence = GUARDRAILS.map(() => new Evidence());
  readonly #convictsAt: number;
  pairs = 0;

  /** Each renewal of a case halves the chance of a false alarm, so that their sum stays bounded. */
  constructor(renewal = 0) {
    this.#convictsAt = 2 ** (Math.min(renewal, 8) + 1) / (2 * FALSE_ALARM);
  }

  add(smart: BlockMeasures, plain: BlockMeasures): void {
    if (isIdle(smart) && isIdle(plain)) return;
    this.pairs += 1;
    for (const [index, { read, offset, indifferentRatio }] of GUARDRAILS.entries()) {
      const ratio = (read(smart) + offset) / (read(plain) + offset);
      this.#evidence[index]!.add(Math.log(ratio), Math.log(indifferentRatio));
    }
  }

  /** The guardrail that is proven to be worse; undefined while none is. */
  verdict(): string | undefined {
    const proven = this.#evidence.findIndex(({ capital }) => capital >= this.#convictsAt);
    return proven === -1 ? undefined : GUARDRAILS[proven]!.name;
  }

  /** Whether something points against it, so that it should be looked at more closely. */
  get suspicious(): boolean {
    return this.#evidence.some(({ capital }) => capital >= 8);
  }
}

function isIdle({ leases, waitP95Ms }: BlockMeasures): boolean {
  return leases === 0 && waitP95Ms === 0;
}
