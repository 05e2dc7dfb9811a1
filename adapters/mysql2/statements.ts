// What mysql2's `pool.query` and `pool.execute` do, in one function each: `once` and what else stock wraps around a statement costs as
// much as its lease.

import type { AsyncResource } from 'node:async_hooks';
import { callersContext } from '../callback.js';
import type { MysqlFacade, StatementStart } from './facade.js';
import type { MysqlCommand } from './shapes.js';

/** Errors of a server that takes no writes, by mysql2's list: the connection is destroyed, so that another one may find the writer. */
const READ_ONLY_ERRORS: ReadonlySet<unknown> = new Set([1290, 1792, 1836]);

/** A method of a pool, for a pool that runs on the engine. */
export type RunMethod = (facade: MysqlFacade, sql: unknown, values: unknown, cb: unknown) => unknown;

type Told = (error: unknown, rows?: unknown, fields?: unknown) => unknown;

export const query: RunMethod = (facade, sql, values, cb) => {
  const command = facade.createQuery(sql, values, cb);
  const told = typeof command.onResult === 'function' ? (command.onResult as Told) : undefined;
  const context = contextOf(facade, told);
  let failure: unknown;
  if (told !== undefined) {
    command.onResult = (error: unknown, rows: unknown, fields: unknown) => {
      failure = error;
      tell(facade, context, told, error, rows, fields);
    };
  }
  const start: StatementStart = (error, connection, lease) => {
    if (error) return failed(facade, command, context, told, error);
    try {
      if (told === undefined) {
        command.once('error', (met) => {
          failure = met;
        });
      }
      connection!.query(command);
      atEnd(command, lease, () => {
        if (isReadOnly(failure)) connection!.destroy();
        else facade.ended(connection!, lease, failure);
      });
    } catch (thrown) {
      facade.ended(connection!, lease, thrown);
      failed(facade, command, context, told, thrown);
    }
  };
  facade.run(start, sql, false, context);
  return command;
};

export const execute: RunMethod = (facade, sql, values, given) => {
  const cb = (typeof values === 'function' ? values : given) as Told;
  const parameters = typeof values === 'function' ? [] : values;
  const context = contextOf(facade, cb);
  const start: StatementStart = (error, connection, lease) => {
    if (error) return refuse(facade, context, cb, error);
    let failure: unknown;
    try {
      const command = connection!.execute(sql, parameters, (met, rows, fields) => {
        failure = met;
        if (isReadOnly(met)) connection!.destroy();
        tell(facade, context, cb, met, rows, fields);
      });
      atEnd(command, lease, () => facade.ended(connection!, lease, failure));
    } catch (thrown) {
      facade.ended(connection!, lease, thrown);
      refuse(facade, context, cb, thrown);
    }
  };
  facade.run(start, sql, true, context);
};

/** An `execute` whose statement cannot be prepared ends twice. A lease knows that it is over, and `once` would cost as much as the lease. */
function atEnd(command: MysqlCommand, lease: unknown, ended: () => void): void {
  if (lease === undefined) command.once('end', ended);
  else command.on('end', ended);
}

/** A callback is tied to its caller's context, for an answer comes in that of the socket; one that only settles a promise is not. */
function contextOf(facade: MysqlFacade, cb: unknown): AsyncResource | undefined {
  return typeof cb === 'function' && facade.keepsContext ? callersContext() : undefined;
}

/** The engine hears an answer where it wants to, then the caller does. */
function tell(
  facade: MysqlFacade,
  context: AsyncResource | undefined,
  cb: Told,
  error: unknown,
  rows: unknown,
  fields: unknown,
): void {
  facade.heed(error, rows);
  if (context === undefined) cb(error, rows, fields);
  else context.runInAsyncScope(cb, undefined, error, rows, fields);
}

/** As `tell`, of a statement that was not run: stock gives the callback nothing but the error. */
function refuse(facade: MysqlFacade, context: AsyncResource | undefined, cb: Told, error: unknown): void {
  facade.heed(error, undefined);
  if (context === undefined) cb(error);
  else context.runInAsyncScope(cb, undefined, error);
}

function failed(
  facade: MysqlFacade,
  command: MysqlCommand,
  context: AsyncResource | undefined,
  told: Told | undefined,
  error: unknown,
): void {
  if (told === undefined) command.emit('error', error);
  else refuse(facade, context, told, error);
}

function isReadOnly(error: unknown): boolean {
  return error ? READ_ONLY_ERRORS.has((error as { errno?: unknown }).errno) : false;
}
