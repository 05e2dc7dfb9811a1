import { setImmediate as nextTurn } from 'node:timers/promises';
import { seeded } from './statistics.js';

/** Turns of the event loop between two windows: what one peer has left to timers and sockets is not the next one's. */
const TURNS_BETWEEN = 5;

/** Fewer rounds say nothing, however little time there is. */
const LEAST_ROUNDS = 2;

/**
 * Measures every peer once a round, in an order shuffled anew for each round: whatever the machine does to one round,
 * it does to all peers. Gives each peer's windows, the n-th of which is from the n-th round.
 * @param rounds at the most; it ends with the last round that is over by `endsAt`, as far as can be foreseen.
 */
export async function interleave<Peer extends { readonly name: string }, Window>(
  peers: readonly Peer[],
  rounds: number,
  measure: (peer: Peer) => Promise<Window>,
  endsAt = Number.POSITIVE_INFINITY,
): Promise<Record<string, Window[]>> {
  const windows: Record<string, Window[]> = Object.fromEntries(peers.map(({ name }) => [name, []]));
  const random = seeded(rounds);
  const round = async () => {
    for (const peer of shuffled(peers, random)) {
      for (let turn = 0; turn < TURNS_BETWEEN; turn += 1) await nextTurn();
      globalThis.gc?.({ type: 'minor' });
      windows[peer.name]?.push(await measure(peer));
    }
  };
  await inRounds(rounds, round, endsAt);
  return windows;
}

/**
 * What each round gave.
 * @param rounds as for `interleave`.
 * @param measure is told the number of the round, from 1 on.
 */
export async function inRounds<Found>(
  rounds: number,
  measure: (round: number) => Promise<Found>,
  endsAt = Number.POSITIVE_INFINITY,
): Promise<Found[]> {
  const found: Found[] = [];
  let longestMs = 0;
  for (let round = 1; round <= rounds; round += 1) {
    const beganAt = performance.now();
    if (round > LEAST_ROUNDS && beganAt + longestMs > endsAt) break;
    found.push(await measure(round));
    longestMs = Math.max(longestMs, performance.now() - beganAt);
  }
  return found;
}

/** What of a window is one figure. */
export type Measure<Window> = {
  [Key in keyof Window]: Window[Key] extends number ? Key : never;
}[keyof Window];

/** One figure of one peer, window by window. */
export function figures<Window>(
  windows: Readonly<Record<string, readonly Window[]>>,
  name: string,
  what: Measure<Window>,
): number[] {
  return (windows[name] ?? []).map((window) => window[what] as number);
}

/** In an order drawn by `random`. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as T);
}
