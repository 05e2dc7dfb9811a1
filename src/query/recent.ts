const WAYS = 7;
/** Newcomers compete for the last of a set's places; what was asked for again moves out of their way. */
const CONTESTED = 3;
const SAMPLES = 6;

interface Entry<V> {
  readonly sample: number;
  readonly text: string;
  readonly value: V | undefined;
}

const NONE: Entry<never> = { sample: 0, text: '', value: undefined };

/**
 * The classes of texts seen lately, by text. Texts hold literals, so they never leave this memory, and `maxEntries`
 * bounds it. It is not a `Map`, which would hash every character of a new text: a few characters choose a set of seven
 * places, and texts are compared there. In a set, texts move forward with each use, so that a stream of texts that
 * are never repeated does not drive out the ones that are.
 */
export class Recent<V> {
  /** Each is made when its first text comes: most applications have few. */
  private readonly sets: (Entry<V>[] | undefined)[];
  private turn = 0;

  constructor(maxEntries: number) {
    // A power of two, so that choosing one takes no division.
    const sets = 2 ** Math.floor(Math.log2(Math.max(1, maxEntries / WAYS)));
    this.sets = new Array<Entry<V>[] | undefined>(sets).fill(undefined);
  }

  get(text: string): V | undefined {
    const sample = sampleOf(text);
    const set = this.sets[sample & (this.sets.length - 1)];
    if (set === undefined) return undefined;
    const place = find(set, text, sample);
    if (place === undefined) return undefined;
    const entry = set[place]!;
    if (place > 0) {
      const forward = Math.min(place, WAYS - CONTESTED) - 1;
      set[place] = set[forward]!;
      set[forward] = entry;
    }
    return entry.value;
  }

  set(text: string, value: V): void {
    const sample = sampleOf(text);
    const number = sample & (this.sets.length - 1);
    this.sets[number] ??= new Array<Entry<V>>(WAYS).fill(NONE);
    const set = this.sets[number];
    this.turn = (this.turn + 1) % CONTESTED;
    set[find(set, text, sample) ?? WAYS - CONTESTED + this.turn] = { sample, text, value };
  }
}

function find(set: readonly Entry<unknown>[], text: string, sample: number): number | undefined {
  for (let place = 0; place < WAYS; place += 1) {
    const entry = set[place]!;
    if (entry.sample === sample && entry.text === text) return place;
  }
  return undefined;
}

/** The length and some characters from all over the text. */
function sampleOf(text: string): number {
  const { length } = text;
  const stride = Math.floor(length / SAMPLES) + 1;
  let sample = length;
  for (let at = 0; at < length; at += stride)
    sample = Math.imul(sample ^ text.charCodeAt(at), 0x5bd1e995) ^ (sample >>> 15);
  return sample ^ (sample >>> 16);
}
