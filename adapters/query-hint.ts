import { AsyncLocalStorage } from 'node:async_hooks';
import type { Dialect, Hint } from '../src/index.js';

const hints = new AsyncLocalStorage<Hint>();
let everUsed = false;

/**
 * Runs `work` so that every connection acquired in it carries `hint`: what the query is, how long to wait for it,
 * and when to call it off. Returns what `work` returns.
 */
export function withQueryHint<T>(hint: Hint, work: () => T): T {
  everUsed = true;
  return hints.run(hint, work);
}

/** The hint in force where this is called. */
export function currentHint(): Hint | undefined {
  return everUsed ? hints.getStore() : undefined;
}

/**
 * Of one statement that will be run: its text counts, whatever the hint in force says, and `name`, by which connections keep it, where that
 * names none.
 */
export function statementHint(sql: string, dialect: Dialect, name: string | undefined): Hint {
  const told = currentHint();
  const hint: Hint = told === undefined ? { sql, dialect } : { ...told, sql, dialect };
  if (name !== undefined) hint.statement ??= name;
  return hint;
}
