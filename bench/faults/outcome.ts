import type { Request } from '../open-loop.js';

/** Slower than so many milliseconds is late. */
const LATE_MS = 100;
export const TENTH_MS = 100;

/** What a fault cost the application. */
export interface Outcome {
  readonly requests: number;
  readonly failed: number;
  readonly late: number;
  /** Never answered within the run. */
  readonly hung: number;
  readonly longestMs: number;
  /** Connections attempted since the fault. */
  readonly attempts: number;
  /** Most of them within any one second. */
  readonly attemptsPeak: number;
  /** From when the server could serve again to the end of the last request that was failed or late; infinite if some hang. */
  readonly recoveryMs: number;
  /** The commonest error, as it reads. */
  readonly error: string;
  /** Requests that failed, hung or were late, by when they were due: the first counts those of the first tenth of a second. */
  readonly lostByTenth: readonly number[];
}

export function outcomeOf(
  requests: readonly Request[],
  attempts: readonly number[],
  faultAt: number,
  readyAt: number,
  expects: RegExp | undefined,
): Outcome {
  const hung = requests.filter(({ endedAt }) => !Number.isFinite(endedAt));
  const failed = requests.filter(
    ({ error }) => error !== undefined && expects?.test(wordsOf(error)) !== true,
  );
  const answered = requests.filter(
    (request) => Number.isFinite(request.endedAt) && !failed.includes(request),
  );
  const late = answered.filter(({ dueAt, endedAt }) => endedAt - dueAt > LATE_MS);
  const since = attempts.filter((at) => at >= faultAt);
  const lastBadAt = [...failed, ...late].reduce((last, { endedAt }) => Math.max(last, endedAt), 0);
  return {
    requests: requests.length,
    failed: failed.length,
    late: late.length,
    hung: hung.length,
    longestMs: answered.reduce((longest, { dueAt, endedAt }) => Math.max(longest, endedAt - dueAt), 0),
    attempts: since.length,
    attemptsPeak: Math.max(
      0,
      ...since.map((at) => since.filter((other) => other >= at && other < at + 1_000).length),
    ),
    recoveryMs: hung.length > 0 ? Number.POSITIVE_INFINITY : Math.max(0, lastBadAt - readyAt),
    error: commonest(failed.map(({ error }) => wordsOf(error))),
    lostByTenth: countByTenth(requests, [...failed, ...late, ...hung]),
  };
}

function countByTenth(requests: readonly Request[], lost: readonly Request[]): number[] {
  const begin = requests[0]?.dueAt ?? 0;
  const tenthOf = ({ dueAt }: Request) => Math.floor((dueAt - begin) / TENTH_MS);
  const counts = new Array<number>(Math.max(0, ...requests.map(tenthOf)) + 1).fill(0);
  for (const request of lost) counts[tenthOf(request)]! += 1;
  return counts;
}

function wordsOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || String(error);
}

function commonest(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const each of words) counts.set(each, (counts.get(each) ?? 0) + 1);
  return [...counts].sort(([, one], [, other]) => other - one)[0]?.[0] ?? '';
}
