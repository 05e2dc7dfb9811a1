/** The application's pools, by the names that OpenTelemetry gives them: those of their databases. */
export const POOLS = ['orders', 'catalogue', 'reports'] as const;
export type PoolName = (typeof POOLS)[number];

export const LIBRARY_OF: Readonly<Record<PoolName, string>> = {
  orders: 'pg',
  catalogue: 'mysql2',
  reports: 'knex',
};

const ROUTES = {
  placeOrder: { pool: 'orders', method: 'POST', path: () => '/orders' },
  findOrder: {
    pool: 'orders',
    method: 'GET',
    path: (random: number) => `/orders/${1 + Math.floor(random * 5000)}`,
  },
  findProduct: {
    pool: 'catalogue',
    method: 'GET',
    path: (random: number) => `/products/${1 + Math.floor(random * 100)}`,
  },
  topProducts: { pool: 'reports', method: 'GET', path: () => '/reports/top-products' },
  yearlyReport: { pool: 'reports', method: 'GET', path: () => '/reports/year' },
} as const;
type RouteName = keyof typeof ROUTES;

/** A request, and when it is to be sent, counted from the phase's begin. */
export interface Arrival {
  readonly atMs: number;
  readonly pool: PoolName;
  readonly method: string;
  readonly path: string;
}

export interface Phase {
  readonly name: string;
  /** What is played, and why. */
  readonly story: string;
  readonly durationMs: number;
  readonly arrivals: readonly Arrival[];
  /** PostgreSQL goes away and comes back. */
  readonly outage?: { readonly fromMs: number; readonly untilMs: number };
}

const STEADY = { placeOrder: 20, findOrder: 40, findProduct: 40, topProducts: 5 };

/** The same seed makes the same traffic for both kinds of pools. */
export function planPhases({ quick, withOutage }: { quick: boolean; withOutage: boolean }): Phase[] {
  const random = seededRandom(42);
  const scale = quick ? 0.5 : 1;
  const steady = (durationMs: number) => poissonArrivals(STEADY, durationMs, random);

  const phase = (name: string, durationMs: number, arrivals: Arrival[], story: string): Phase => ({
    name,
    durationMs,
    arrivals: inOrder(arrivals),
    story,
  });

  const steadyMs = 10_000 * scale;
  const quietMs = quick ? 3_500 : 5_000;
  const burstMs = 6_000 * scale;
  const slowMs = 10_000 * scale;
  const outageMs = quick ? 6_000 : 12_000;
  const outage = { fromMs: outageMs * 0.2, untilMs: outageMs * 0.4 };

  const phases = [
    phase(
      'steady',
      steadyMs,
      steady(steadyMs),
      'Steady traffic: about 105 requests a second. A few connections are enough, and nobody should wait.',
    ),
    phase(
      'quiet',
      quietMs,
      [],
      'Quiet: no traffic. The application asked for an idle timeout of 2 s, so connections should close.',
    ),
    phase(
      'burst',
      burstMs,
      [
        ...simultaneous({ placeOrder: 40, findOrder: 60, findProduct: 80, topProducts: 20 }, random),
        ...steady(burstMs),
      ],
      'A burst after the quiet: 200 requests in one instant find few connections or none, then steady traffic.',
    ),
    phase(
      'slow',
      slowMs,
      [...steady(slowMs), ...poissonArrivals({ yearlyReport: 5 }, slowMs, random)],
      'Slow reports mixed in: five a second, 0.6 s each. They keep 3 of the 4 report connections busy: quick reports must wait, the other pools must not notice.',
    ),
  ];
  if (withOutage) {
    phases.push({
      ...phase(
        'restart',
        outageMs,
        steady(outageMs),
        `PostgreSQL restarts and is away for ${(outage.untilMs - outage.fromMs) / 1_000} s. Requests that need it meanwhile fail or wait; when it is back, all should be well at once.`,
      ),
      outage,
    });
  }
  return phases;
}

/** Steady traffic that nobody measures. */
export function warmUp(durationMs: number): Arrival[] {
  return inOrder(poissonArrivals(STEADY, durationMs, seededRandom(7)));
}

function inOrder(arrivals: Arrival[]): Arrival[] {
  return arrivals.sort((one, other) => one.atMs - other.atMs);
}

type Amounts = Partial<Record<RouteName, number>>;

/** Independent clients: gaps between requests are exponential. */
function poissonArrivals(perSecond: Amounts, durationMs: number, random: () => number): Arrival[] {
  const arrivals: Arrival[] = [];
  for (const [route, rate] of entries(perSecond)) {
    const gapMs = () => (-Math.log(1 - random()) * 1_000) / rate;
    for (let atMs = gapMs(); atMs < durationMs; atMs += gapMs()) arrivals.push(arrival(route, atMs, random));
  }
  return arrivals;
}

function simultaneous(amounts: Amounts, random: () => number): Arrival[] {
  return entries(amounts).flatMap(([route, amount]) =>
    Array.from({ length: amount }, () => arrival(route, 0, random)),
  );
}

function arrival(route: RouteName, atMs: number, random: () => number): Arrival {
  const { pool, method, path } = ROUTES[route];
  return { atMs, pool, method, path: path(random()) };
}

function entries(amounts: Amounts): [RouteName, number][] {
  return Object.entries(amounts) as [RouteName, number][];
}

/** Mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
