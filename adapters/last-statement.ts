import type { Dialect, LastStatement } from '../src/index.js';
import { textOf } from './statement-text.js';

/** The text alone: what was given may hold its rows when it is answered. */
interface Sent {
  readonly sql: string | undefined;
  readonly at: number;
}

const sent = new WeakMap<object, Sent>();

type Method = ((...given: unknown[]) => unknown) & { readonly __wrapped?: unknown };

/** From now on it is remembered what a connection runs by `methods`. Patches of its class are heeded, whenever they come. */
export function rememberStatements(connection: object, methods: readonly string[]): void {
  const target = connection as Record<string, Method>;
  for (const name of methods) {
    const own = Object.hasOwn(target, name) ? target[name] : undefined;
    const method = () => own ?? (Object.getPrototypeOf(connection) as Record<string, Method>)[name]!;
    const value = function remembered(this: unknown, ...given: unknown[]) {
      sent.set(connection, {
        sql: textOf(given[0], 'text') ?? textOf(given[0], 'sql'),
        at: performance.now(),
      });
      return method().apply(this, given);
    };
    // Whether somebody tells of its statements still shows.
    Object.defineProperty(value, '__wrapped', { get: () => method().__wrapped });
    Object.defineProperty(target, name, { configurable: true, writable: true, value });
  }
}

/** What a connection ran last, of what is remembered. */
export function lastStatementOn(connection: object, dialect: Dialect): LastStatement | undefined {
  const last = sent.get(connection);
  return last?.sql === undefined ? undefined : { sql: last.sql, dialect, startedAt: last.at };
}
