const SEED_A = 0x243f6a88;
const SEED_B = 0x13198a2e;
/** Deeper lists are told apart by their length like any other text; the bound keeps a reading's memory fixed. */
const MAX_OPEN_LISTS = 32;

/** Stands for every literal and every placeholder. */
export const LITERAL = 0x3f3f3f3f;
const LIST_ENDS = 0x5d5d5d5d;

/**
 * A rolling key of a statement's shape. In a list (IN, VALUES, an array) an element equal to the one before it leaves
 * no trace, so that lists of any length give one key. Two 32-bit lanes make a chance collision a matter of 2^-64;
 * it is no defence against someone who builds one on purpose.
 */
export class Digest {
  private a = SEED_A;
  private b = SEED_B;
  private lists = 0;
  private readonly depths = new Int32Array(MAX_OPEN_LISTS);
  private readonly outerA = new Int32Array(MAX_OPEN_LISTS);
  private readonly outerB = new Int32Array(MAX_OPEN_LISTS);
  private readonly lastA = new Int32Array(MAX_OPEN_LISTS);
  private readonly lastB = new Int32Array(MAX_OPEN_LISTS);
  private readonly ofRows = new Uint8Array(MAX_OPEN_LISTS);
  /** The depth of parentheses at which the innermost list's commas stand, or -1. */
  listDepth = -1;
  /** The same if it is a list of rows (VALUES), which has no closing mark: the next word at its depth that the reader knows, but for ROW, ends it. */
  rowsDepth = -1;

  reset(): void {
    this.a = SEED_A;
    this.b = SEED_B;
    this.lists = 0;
    this.listDepth = -1;
    this.rowsDepth = -1;
  }

  add(hash: number): void {
    const a = Math.imul(this.a ^ hash, 0x85ebca6b);
    this.a = (a << 13) | (a >>> 19);
    const b = Math.imul(this.b + hash, 0xc2b2ae35 | 0);
    this.b = b ^ (b >>> 15);
  }

  openList(depth: number, ofRows: boolean): void {
    if (this.lists === MAX_OPEN_LISTS) return;
    const list = this.lists;
    this.lists = list + 1;
    this.depths[list] = depth;
    this.outerA[list] = this.a;
    this.outerB[list] = this.b;
    this.lastA[list] = 0;
    this.lastB[list] = 0;
    this.ofRows[list] = ofRows ? 1 : 0;
    this.listDepth = depth;
    this.rowsDepth = ofRows ? depth : -1;
    this.a = SEED_A;
    this.b = SEED_B;
  }

  endElement(): void {
    const list = this.lists - 1;
    const { a, b } = this;
    if (a !== this.lastA[list] || b !== this.lastB[list]) {
      this.lastA[list] = a;
      this.lastB[list] = b;
      this.a = this.outerA[list] as number;
      this.b = this.outerB[list] as number;
      this.add(a);
      this.add(b);
      this.outerA[list] = this.a;
      this.outerB[list] = this.b;
    }
    this.a = SEED_A;
    this.b = SEED_B;
  }

  closeList(): void {
    this.endElement();
    const list = this.lists - 1;
    this.lists = list;
    this.a = this.outerA[list] as number;
    this.b = this.outerB[list] as number;
    this.listDepth = list > 0 ? (this.depths[list - 1] as number) : -1;
    this.rowsDepth = list > 0 && this.ofRows[list - 1] === 1 ? this.listDepth : -1;
    this.add(LIST_ENDS);
  }

  key(): string {
    return hex(mixed(this.a)) + hex(mixed(this.b ^ this.a));
  }
}

/** The 32-bit finaliser of MurmurHash3. */
function mixed(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

function hex(value: number): string {
  return `${HEX[value >>> 24]}${HEX[(value >>> 16) & 255]}${HEX[(value >>> 8) & 255]}${HEX[value & 255]}`;
}
