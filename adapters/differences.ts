/**
 * Where an enhanced pool differs from the stock one on purpose. Each can be switched off alone, and
 * `compatibility: 'strict'` switches off all of them.
 */
export interface Differences {
  /** A connection survives an SQL error; stock `pg.Pool#query` destroys it on every error. */
  sqlErrorsKeepConnection: boolean;
  /** `min` connections are opened and kept up; stock pools only stop closing below it. */
  minKeptFilled: boolean;
  /** Callers queued when the pool is closed are still served; stock pg leaves them unsettled, stock knex aborts them. */
  waitersSettleOnEnd: boolean;
  /** A stored callback runs in its caller's asynchronous context; stock runs it in the releaser's. */
  callbacksKeepContext: boolean;
  /** mysql2's `idleTimeout` works whatever `maxIdle` is; stock honours it only where `maxIdle < connectionLimit`. */
  idleTimeoutAlwaysWorks: boolean;
  /** A connection that was idle for more than half a second is checked before it is handed out; stock pg and mysql2 never check. */
  checkedOnBorrow: boolean;
  /** A transaction left open by its holder is rolled back on release; stock hands it to the next holder. */
  openTransactionsRolledBack: boolean;
  /**
   * Connections retire up to a tenth of their lifetime early, drawn for each, and are replaced in turn; stock retires those opened
   * together together.
   */
  lifetimesSpread: boolean;
  /** A streamed knex query releases its connection once; stock does it twice and may free another's connection. */
  streamsReleaseOnce: boolean;
}

export const ENHANCED: Readonly<Differences> = {
  sqlErrorsKeepConnection: true,
  minKeptFilled: true,
  waitersSettleOnEnd: true,
  callbacksKeepContext: true,
  idleTimeoutAlwaysWorks: true,
  checkedOnBorrow: true,
  openTransactionsRolledBack: true,
  lifetimesSpread: true,
  streamsReleaseOnce: true,
};

export const STRICT: Readonly<Differences> = Object.fromEntries(
  Object.keys(ENHANCED).map((name) => [name, false]),
) as unknown as Differences;
