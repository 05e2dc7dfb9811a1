import type { Slot } from '../../src/index.js';

/** Which connection was checked last, for whoever is given it next. */
export class LastCheck {
  #slot: Slot<unknown> | undefined = undefined;
  #uses = 0;

  ended(slot: Slot<unknown>): void {
    this.#slot = slot;
    this.#uses = slot.uses;
  }

  /** Whether its lease, which has just begun, is the first one since that check. */
  cameBefore(slot: Slot<unknown>): boolean {
    return slot === this.#slot && slot.uses === this.#uses + 1;
  }
}
