import type { Driver } from '../src/index.js';

/** What a pool does on its own account, though a caller may have caused it. */
export type BackgroundWork = 'open' | 'check' | 'reset' | 'close';

/** Runs `work` at once and returns what it returns. */
export type Background = <T>(what: BackgroundWork, work: () => T) => T;

/** The same driver, doing through `background` all that takes time. */
export function inBackground<C>(driver: Driver<C>, background: Background | undefined): Driver<C> {
  if (background === undefined) return driver;
  const { isBroken, mustCheck, canShare, onSilent, isDirty, unanswered, reset } = driver;
  const { bytesHeard, findDead, sever } = driver;
  return {
    open: (signal) => background('open', () => driver.open(signal)),
    check: (connection) => background('check', () => driver.check(connection)),
    close: (connection, reason) => background('close', () => driver.close(connection, reason)),
    ...(isBroken && { isBroken: (connection, error) => isBroken.call(driver, connection, error) }),
    ...(mustCheck && { mustCheck: (connection) => mustCheck.call(driver, connection) }),
    ...(canShare && { canShare: (connection) => canShare.call(driver, connection) }),
    ...(onSilent && { onSilent: (connection) => onSilent.call(driver, connection) }),
    ...(bytesHeard && { bytesHeard: (connection) => bytesHeard.call(driver, connection) }),
    ...(findDead && {
      findDead: (connection, silent) => background('check', () => findDead.call(driver, connection, silent)),
    }),
    ...(sever && { sever: (connection, error) => sever.call(driver, connection, error) }),
    ...(isDirty && { isDirty: (connection) => isDirty.call(driver, connection) }),
    ...(unanswered && { unanswered: (connection) => unanswered.call(driver, connection) }),
    ...(reset && { reset: (connection) => background('reset', () => reset.call(driver, connection)) }),
  };
}
