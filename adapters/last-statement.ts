import type { Dialect, LastStatement } from '../src/index.js';

interface Sent {
  readonly what: unknown;
  readonly at: number;
}

const sent = new WeakMap<object, Sent>();

type Method = (...given: unknown[]) => unknown;

/** From now on it is remembered what a connection runs by `methods`. Patches of its class are heeded, whenever they come. */
export function rememberStatements(connection: object, methods: readonly string[]): void {
  const target = connection as Record<string, Method>;
  for (const name of methods) {
    const own = Object.hasOwn(target, name) ? target[name] : undefined;
    Object.defineProperty(target, name, {
      configurable: true,
      writable: true,
      value(this: unknown, ...given: unknown[]) {
        sent.set(connection, { what: given[0], at: performance.now() });
        const method = own ?? (Object.getPrototypeOf(connection) as Record<string, Method>)[name]!;
        return method.apply(this, given);
      },
    });
  }
}

/** What a connection ran last, of what is remembered. */
export function lastStatementOn(connection: object, dialect: Dialect): LastStatement | undefined {
  const last = sent.get(connection);
  if (last === undefined) return undefined;
  const sql = textOf(last.what);
  return sql === undefined ? undefined : { sql, dialect, startedAt: last.at };
}

/** Of a text, a configuration, or an object that submits itself. */
function textOf(what: unknown): string | undefined {
  if (typeof what === 'string') return what;
  const { text, sql } = (what ?? {}) as { text?: unknown; sql?: unknown };
  const found = text ?? sql;
  return typeof found === 'string' ? found : undefined;
}
