const WAYS = 7;
/** Newcomers compete for the last of a set's places; what was asked for again moves out of their way. */
const CONTESTED = 3;
const SAMPLES = 6;

/**
 * The classes of texts seen lately, by text. Texts hold literals, so they never leave this memory, and `maxEntries`
 * bounds it. It is not a `Map`, which would hash every character of a new text: a few characters choose a set of seven
 * places, and texts are compared there. In a set, texts move forward with each use, so that a stream of texts that
 * are never repeated does not drive out the ones that are.
 */
export class Recent<V> {
  private readonly sets: number;
  private readonly samples: Int32Array;
  private readonly texts: string[];
  private readonly values: (V | undefined)[];
  private turn = 0;

  constructor(maxEntries: number) {
    // A power of two, so that choosing one takes no division.
    this.sets = 2 ** Math.floor(Math.log2(Math.max(1, maxEntries / WAYS)));
    this.samples = new Int32Array(this.sets * WAYS);
    this.texts = new Array<string>(this.sets * WAYS).fill('');
    this.values = new Array<V | undefined>(this.sets * WAYS).fill(undefined);
  }

  get(text: string): V | undefined {
    const sample = sampleOf(text);
    const first = this.firstPlace(sample);
    const place = this.find(text, sample, first);
    if (place === undefined) return undefined;
    const value = this.values[place];
    if (place > first) this.swap(place, Math.min(place, first + WAYS - CONTESTED) - 1);
    return value;
  }

  set(text: string, value: V): void {
    const sample = sampleOf(text);
    const first = this.firstPlace(sample);
    this.turn = (this.turn + 1) % CONTESTED;
    const place = this.find(text, sample, first) ?? first + WAYS - CONTESTED + this.turn;
    this.samples[place] = sample;
    this.texts[place] = text;
    this.values[place] = value;
  }

  private find(text: string, sample: number, first: number): number | undefined {
    for (let place = first; place < first + WAYS; place += 1) {
      if (this.samples[place] === sample && this.texts[place] === text) return place;
    }
    return undefined;
  }

  private firstPlace(sample: number): number {
    return (sample & (this.sets - 1)) * WAYS;
  }

  private swap(one: number, other: number): void {
    const { samples, texts, values } = this;
    const [sample, text, value] = [samples[one] as number, texts[one] as string, values[one]];
    samples[one] = samples[other] as number;
    texts[one] = texts[other] as string;
    values[one] = values[other];
    samples[other] = sample;
    texts[other] = text;
    values[other] = value;
  }
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
