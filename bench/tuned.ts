import { availableParallelism } from 'node:os';

/** By the book: twice the cores and one, all opened beforehand. */
export const TUNED_MAX = 2 * availableParallelism() + 1;
