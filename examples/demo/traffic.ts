import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { build, type Histogram } from 'hdr-histogram-js';
import { type Arrival, POOLS, type PoolName } from './phases.js';

const REQUEST_TIMEOUT_MS = 15_000;

/** What the clients of one pool saw. */
export interface Experience {
  requests: number;
  /** By what the application said. */
  readonly errors: Map<string, number>;
  /** Of the requests that succeeded, in microseconds, from when they were meant to start. */
  readonly latency: Histogram;
  /** By how much requests were sent too late, in microseconds: that is ours, not the application's. */
  readonly lateness: Histogram;
}

export type Experiences = Record<PoolName, Experience>;

export function newExperiences(): Experiences {
  return Object.fromEntries(
    POOLS.map((pool) => {
      return [pool, { requests: 0, errors: new Map(), latency: microseconds(), lateness: microseconds() }];
    }),
  ) as unknown as Experiences;
}

function microseconds(): Histogram {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000 });
}

export function errorCount({ errors }: Experience): number {
  return [...errors.values()].reduce((sum, count) => sum + count, 0);
}

/** An application, and what its clients see. */
export interface Target {
  readonly origin: URL;
  readonly experiences: Experiences;
}

/**
 * Sends each request to all targets when it is due, however the earlier ones fare, and measures from that instant: a
 * client who had to wait for the application to catch up waited.
 */
export async function send(
  arrivals: readonly Arrival[],
  targets: readonly Target[],
  signal: AbortSignal,
): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const beganAt = performance.now();
  const answers: Promise<void>[] = [];
  let order = [...targets];
  for (const arrival of arrivals) {
    const dueAt = beganAt + arrival.atMs;
    const dueInMs = dueAt - performance.now();
    if (dueInMs > 0) await sleep(dueInMs, undefined, { signal });
    signal.throwIfAborted();
    // None of them is to be the one that always comes first.
    order = [...order.slice(1), ...order.slice(0, 1)];
    answers.push(...order.map((target) => sendOne(arrival, target, agent, dueAt)));
  }
  await Promise.all(answers);
  agent.destroy();
}

async function sendOne(
  { method, path, pool }: Arrival,
  { origin, experiences }: Target,
  agent: Agent,
  dueAt: number,
): Promise<void> {
  const experience = experiences[pool];
  experience.requests += 1;
  const sentAt = performance.now();
  // A timer may fire a fraction of a millisecond early.
  const startedAt = Math.min(dueAt, sentAt);
  experience.lateness.recordValue(Math.round((sentAt - startedAt) * 1_000));
  const error = await errorOf(new URL(path, origin), method, agent);
  if (error !== undefined) experience.errors.set(error, (experience.errors.get(error) ?? 0) + 1);
  else experience.latency.recordValue(Math.round((performance.now() - startedAt) * 1_000));
}

function errorOf(url: URL, method: string, agent: Agent): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = httpRequest(url, { method, agent, timeout: REQUEST_TIMEOUT_MS }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve(response.statusCode === 200 ? undefined : complaint(body)));
      response.on('error', (error) => resolve(error.message));
    });
    request.on('timeout', () => request.destroy(new Error(`no answer in ${REQUEST_TIMEOUT_MS / 1_000} s`)));
    request.on('error', (error) => resolve(error.message));
    request.end();
  });
}

function complaint(body: string): string {
  const { error = 'not found' } = JSON.parse(body) as { error?: string };
  return error.split('\n', 1)[0]!;
}
