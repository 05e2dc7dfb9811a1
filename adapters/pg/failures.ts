/** SQLSTATEs after which the server closes the session (PostgreSQL, appendix A): classes 08 and 57P, and idle-session kills. */
const SESSION_ENDED = /^(08|57P|25P03)/;

/** Whether `error`, from a statement, leaves no usable connection: only the server's own errors do leave one. */
export function endsSession(error: unknown): boolean {
  if (error === undefined || error === null) return false;
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  const fromServer = typeof severity === 'string' && typeof code === 'string' && code.length === 5;
  return !fromServer || SESSION_ENDED.test(code) || severity === 'FATAL' || severity === 'PANIC';
}
