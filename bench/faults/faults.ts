import { setTimeout as sleep } from 'node:timers/promises';
import type { TcpProxy } from './proxy.js';
import type { Stage } from './stage.js';

/** How long a restarting server is away. */
const DOWN_MS = 1_700;
const FROZEN_MS = 3_000;
/** Connections that a full server has for the application, which wants ten and has four. */
const SPARE = 6;

/** What the bad day brings. */
export interface Fault {
  readonly name: string;
  /** What the application does all day. */
  sql(stage: Stage, index: number): string;
  /** Brings the fault about, for all who come to the server over `proxies`; settles when it could serve again. */
  strike(stage: Stage, proxies: readonly TcpProxy[]): Promise<void>;
  /** About how long that takes. */
  readonly lastsMs?: number;
  /** Whether a quick run looks at it. */
  readonly quick?: boolean;
  /** Requests in one instant, beside the steady ones, once a second; 0 for none. */
  readonly burst?: number;
  /** Connections that are open when it strikes; as many as there may be where nothing else is said. */
  readonly opened?: number;
  /** Whether callers wait while it lasts, so that there is more to do than ever when it is over. */
  readonly owes?: boolean;
  /** Whether an error is what the application asked for. */
  readonly expects?: RegExp;
  /** Whether every connection that was open when it struck must go. */
  readonly dropsAll?: boolean;
}

const read = () => 'SELECT price FROM item WHERE id = 1';

export const FAULTS: readonly Fault[] = [
  {
    name: 'restart',
    sql: read,
    async strike({ first }) {
      const upAt = performance.now() + DOWN_MS;
      await first.halt();
      await sleep(Math.max(0, upAt - performance.now()));
      await first.resume();
    },
    lastsMs: DOWN_MS,
    owes: true,
    quick: true,
  },
  { name: 'crash', sql: read, strike: (stage) => stage.crash(), lastsMs: 2_000 },
  {
    name: 'half-open',
    sql: read,
    async strike(_, proxies) {
      for (const proxy of proxies) proxy.mute();
    },
    owes: true,
    quick: true,
  },
  {
    name: 'frozen',
    sql: read,
    async strike({ first }) {
      first.freeze();
      await sleep(FROZEN_MS);
      first.thaw();
    },
    lastsMs: FROZEN_MS,
  },
  { name: 'terminate', sql: read, strike: (stage) => stage.terminate(), quick: true },
  {
    name: 'failover',
    sql: (_, index) => `UPDATE item SET price = price + 1 WHERE id = ${1 + (index % 100)}`,
    async strike(stage, proxies) {
      for (const proxy of proxies) proxy.target = stage.second.port;
      await stage.refuseWrites();
    },
    dropsAll: true,
    quick: true,
  },
  {
    name: 'server full',
    sql: ({ slowSql }) => slowSql,
    strike: (stage) => stage.limitConnections(SPARE),
    burst: 20,
    opened: 4,
  },
  {
    name: 'password',
    sql: read,
    async strike(stage) {
      await stage.rotatePassword();
      await stage.terminate();
    },
  },
  {
    name: 'violations',
    sql: () => 'INSERT INTO item (id, price) VALUES (1, 1)',
    strike: async () => {},
    expects: /duplicate/i,
  },
];
