/** What a failure concerns: one statement, one connection, the server and the way to it, or how the pool is set up. */
export type FailureScope = 'statement' | 'connection' | 'host' | 'configuration';

/** What the pool does about a failure, beyond telling whoever met it. */
export type Mitigation =
  /** Nothing: the connection is sound. */
  | 'none'
  /** The connection closes when it is released, for what it had prepared is no longer valid. */
  | 'retire'
  /** The connection closes and another takes its place. */
  | 'replace'
  /** As `replace`; two within a second make all older connections suspect, for then it was not the connection. */
  | 'suspect'
  /** All older connections are suspect, waiters are held, one probe at a time asks whether the server is back. */
  | 'hold'
  /** All older connections close: idle ones at once, used ones when they are released. */
  | 'purge'
  /** What is open serves all; no more is opened for a while. */
  | 'limit'
  /** Nothing is opened that nobody waits for. */
  | 'spare'
  /** Everybody is told at once, and the server is asked again twice a minute: more would be a storm. */
  | 'refuse';

interface Pattern {
  readonly scope: FailureScope;
  readonly mitigation: Mitigation;
  /** Whether a connection on which it happens is of no further use. */
  readonly fatal: boolean;
  /** What it is, as the end of a sentence. */
  readonly what: string;
}

const pattern = (scope: FailureScope, mitigation: Mitigation, fatal: boolean, what: string): Pattern => ({
  scope,
  mitigation,
  fatal,
  what,
});

/** Every failure that is told apart, and what is done about it. */
export const FAILURES = {
  statement_error: pattern('statement', 'none', false, 'a statement failed'),
  plan_invalid: pattern('connection', 'retire', false, 'a prepared statement is no longer valid'),
  lock_conflict: pattern('statement', 'none', false, 'a statement lost to another transaction'),
  statement_timeout: pattern('statement', 'none', false, 'a statement ran out of time or was cancelled'),
  read_timeout: pattern('connection', 'replace', true, 'an answer did not come in time and may come later'),
  idle_killed: pattern('connection', 'replace', true, 'the server ended a session for being idle'),
  session_ended: pattern('connection', 'suspect', true, 'the server ended a session'),
  starting: pattern('host', 'hold', true, 'the server is starting, stopping or recovering'),
  network_reset: pattern('connection', 'suspect', true, 'a connection was cut'),
  network_timeout: pattern('host', 'hold', true, 'the server cannot be reached'),
  refused: pattern('host', 'hold', true, 'the server accepts no connection'),
  name_unknown: pattern('host', 'hold', false, "the server's name cannot be resolved"),
  read_only: pattern('host', 'purge', true, 'the server takes no writes any more, as after a failover'),
  too_many_connections: pattern('host', 'limit', false, 'the server has no connection to spare'),
  out_of_resources: pattern('host', 'spare', false, 'the server lacks memory or disk space'),
  authentication: pattern('configuration', 'refuse', false, 'the server rejects the login'),
  database_missing: pattern(
    'configuration',
    'refuse',
    false,
    'the database is missing or closed to this user',
  ),
  host_blocked: pattern('configuration', 'refuse', false, 'the server has blocked this host'),
  tls: pattern('configuration', 'refuse', false, 'no encrypted connection can be agreed on'),
  proxy_overloaded: pattern('host', 'spare', false, 'a proxy in between is overloaded'),
  proxied_server_away: pattern('host', 'hold', true, 'a proxy in between cannot reach the server'),
  protocol: pattern('connection', 'replace', true, 'the protocol was broken'),
  unknown: pattern('statement', 'none', false, 'something failed'),
} as const satisfies Readonly<Record<string, Pattern>>;

export type FailurePattern = keyof typeof FAILURES;

/** When an error was met: while a connection was being made, or on one that had been made. */
export type FailurePhase = 'connect' | 'use';

/**
 * Overrules how an error is classified: the name of a pattern, or undefined to leave it to the table.
 * It must not throw; one that does is not heeded.
 */
export type ClassifyError = (error: unknown, phase: FailurePhase) => FailurePattern | undefined;

/** A pattern by name, or one for each phase. */
type Match = FailurePattern | { readonly connect: FailurePattern; readonly use: FailurePattern };

/**
 * PostgreSQL's SQLSTATEs (documentation, appendix A), the longest prefix that fits. A class that is not here is a
 * statement's own affair.
 */
const SQLSTATES: Readonly<Record<string, Match>> = {
  '08': 'network_reset',
  '08001': 'refused',
  '08004': 'refused',
  '08P01': 'protocol',
  '25006': 'read_only',
  '25P03': 'idle_killed',
  '25P04': 'session_ended',
  '26000': 'plan_invalid',
  '28': 'authentication',
  '3D000': { connect: 'database_missing', use: 'statement_error' },
  '40001': 'lock_conflict',
  '40P01': 'lock_conflict',
  '42501': { connect: 'database_missing', use: 'statement_error' },
  '42P05': 'plan_invalid',
  '53': 'out_of_resources',
  '53300': 'too_many_connections',
  '53400': { connect: 'too_many_connections', use: 'out_of_resources' },
  '55000': { connect: 'database_missing', use: 'statement_error' },
  '55P03': 'lock_conflict',
  '57014': 'statement_timeout',
  '57P': 'session_ended',
  '57P01': { connect: 'starting', use: 'session_ended' },
  '57P02': 'starting',
  '57P03': 'starting',
  '57P04': { connect: 'database_missing', use: 'session_ended' },
  '57P05': 'idle_killed',
  '58': 'out_of_resources',
};

/** Numbers of MySQL's and MariaDB's server errors, and those of their client library. */
const ERRNOS: Readonly<Record<number, Match>> = {
  1021: 'out_of_resources',
  1037: 'out_of_resources',
  1040: 'too_many_connections',
  1041: 'out_of_resources',
  1044: { connect: 'database_missing', use: 'statement_error' },
  1045: { connect: 'authentication', use: 'statement_error' },
  1049: { connect: 'database_missing', use: 'statement_error' },
  1053: { connect: 'starting', use: 'session_ended' },
  1129: 'host_blocked',
  1130: 'database_missing',
  1158: 'network_reset',
  1159: 'network_reset',
  1160: 'network_reset',
  1161: 'network_reset',
  1184: 'network_reset',
  1203: 'too_many_connections',
  1205: 'lock_conflict',
  1213: 'lock_conflict',
  1226: { connect: 'too_many_connections', use: 'statement_error' },
  1243: 'plan_invalid',
  1317: 'statement_timeout',
  1461: 'plan_invalid',
  1615: 'plan_invalid',
  1698: { connect: 'authentication', use: 'statement_error' },
  1836: 'read_only',
  1862: 'authentication',
  1927: 'session_ended',
  2002: 'refused',
  2003: 'refused',
  2006: { connect: 'starting', use: 'network_reset' },
  2013: { connect: 'starting', use: 'network_reset' },
  3024: 'statement_timeout',
  3032: 'starting',
  3118: 'authentication',
  3169: 'session_ended',
  3572: 'lock_conflict',
  4031: 'idle_killed',
  9001: 'proxy_overloaded',
};

/** MySQL: the server runs with an option, and only the message says with which. */
const ER_OPTION_PREVENTS_STATEMENT = 1290;
const READ_ONLY_OPTION = /--(super-|innodb-)?read-only|LOCK_WRITE_GROWTH/i;

/** Codes of the operating system, of Node and of the drivers themselves. */
const CODES: Readonly<Record<string, Match>> = {
  ECONNREFUSED: 'refused',
  ENOENT: { connect: 'refused', use: 'unknown' },
  ECONNRESET: { connect: 'starting', use: 'network_reset' },
  ECONNABORTED: 'network_reset',
  EPIPE: { connect: 'starting', use: 'network_reset' },
  ERR_STREAM_DESTROYED: 'network_reset',
  PROTOCOL_CONNECTION_LOST: { connect: 'starting', use: 'network_reset' },
  ETIMEDOUT: 'network_timeout',
  EHOSTUNREACH: 'network_timeout',
  EHOSTDOWN: 'network_timeout',
  ENETUNREACH: 'network_timeout',
  ENETDOWN: 'network_timeout',
  OPEN_TIMEOUT: 'network_timeout',
  CHECK_TIMEOUT: 'network_timeout',
  ENOTFOUND: 'name_unknown',
  EAI_AGAIN: 'name_unknown',
  PROTOCOL_SEQUENCE_TIMEOUT: 'read_timeout',
  PROTOCOL_UNEXPECTED_PACKET: 'protocol',
  PROTOCOL_PACKETS_OUT_OF_ORDER: 'protocol',
  HANDSHAKE_SSL_ERROR: 'tls',
  HANDSHAKE_NO_SSL_SUPPORT: 'tls',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls',
  CERT_HAS_EXPIRED: 'tls',
  EPROTO: 'tls',
};

/** A whole family of codes: OpenSSL's have dozens of members. */
const TLS_CODE = /^ERR_(TLS|SSL)_/;

/** What only a message tells, since pg's own errors have no code, and poolers send theirs as PostgreSQL's. */
const MESSAGES: readonly (readonly [RegExp, Match])[] = [
  [/query_wait_timeout|max_client_conn|no more connections allowed/i, 'proxy_overloaded'],
  [/server_login_retry|^pgbouncer cannot connect to server/i, 'proxied_server_away'],
  [/^server conn crashed/i, 'session_ended'],
  [/Query read timeout/, 'read_timeout'],
  [/Connection terminated due to connection timeout|^timeout expired$/, 'network_timeout'],
  [/Connection terminated( unexpectedly)?$/, { connect: 'starting', use: 'network_reset' }],
  [/connection is in closed state|Client has encountered a connection error/, 'network_reset'],
  [/The server does not support SSL|Server does not support secure connection/i, 'tls'],
  [/unexpected \w+ message from (backend|server)/i, 'protocol'],
  [/cached plan must not change result type/, 'plan_invalid'],
  [/client password must be a string|unsupported auth/i, 'authentication'],
  [/cannot execute .* in a read-only transaction/i, 'read_only'],
];

/** What is read of an error; anything may be thrown, so everything is in doubt. */
interface ErrorLike {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly message?: unknown;
  readonly severity?: unknown;
  readonly fatal?: unknown;
}

/**
 * Names what went wrong: by SQLSTATE or server error number, then by code, then by message. Reads nothing else, so no
 * statement and no parameter is looked at.
 * @param phase where it was met: the same words mean less on a connection that had worked.
 */
export function classifyFailure(error: unknown, phase: FailurePhase): FailurePattern {
  if (typeof error !== 'object' || error === null) return 'unknown';
  const { code, errno, message, severity, fatal } = error as ErrorLike;
  const text = typeof message === 'string' ? message : '';
  if (typeof errno === 'number' && errno > 0) return ofErrno(errno, text, fatal === true, phase);
  if (isSqlState(code) && typeof severity === 'string') return ofSqlState(code, text, severity, phase);
  const match = ofCode(code) ?? ofMessage(text);
  if (match !== undefined) return inPhase(match, phase);
  return fatal === true ? 'protocol' : 'unknown';
}

function ofErrno(errno: number, text: string, fatal: boolean, phase: FailurePhase): FailurePattern {
  if (errno === ER_OPTION_PREVENTS_STATEMENT)
    return READ_ONLY_OPTION.test(text) ? 'read_only' : 'statement_error';
  const match = ERRNOS[errno];
  if (match === undefined) return fatal && phase === 'use' ? 'session_ended' : 'statement_error';
  const found = inPhase(match, phase);
  return fatal && phase === 'use' && FAILURES[found].scope === 'statement' ? 'session_ended' : found;
}

function ofSqlState(state: string, text: string, severity: string, phase: FailurePhase): FailurePattern {
  const byText = state.startsWith('08') || state === '0A000' ? ofMessage(text) : undefined;
  const match = byText ?? SQLSTATES[state] ?? SQLSTATES[state.slice(0, 3)] ?? SQLSTATES[state.slice(0, 2)];
  const found = match === undefined ? 'statement_error' : inPhase(match, phase);
  const ended = (severity === 'FATAL' || severity === 'PANIC') && phase === 'use';
  return ended && FAILURES[found].scope === 'statement' ? 'session_ended' : found;
}

function ofCode(code: unknown): Match | undefined {
  if (typeof code !== 'string') return undefined;
  if (Object.hasOwn(CODES, code)) return CODES[code];
  return TLS_CODE.test(code) ? 'tls' : undefined;
}

function ofMessage(text: string): Match | undefined {
  return MESSAGES.find(([words]) => words.test(text))?.[1];
}

function inPhase(match: Match, phase: FailurePhase): FailurePattern {
  return typeof match === 'string' ? match : match[phase];
}

function isSqlState(code: unknown): code is string {
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code);
}

/** `classifyFailure` overruled by `hook`, where there is one and it knows better. */
export function classifierOf(
  hook: ClassifyError | undefined,
): (error: unknown, phase: FailurePhase) => FailurePattern {
  if (hook === undefined) return classifyFailure;
  return (error, phase) => {
    let own: FailurePattern | undefined;
    try {
      own = hook(error, phase);
    } catch {
      own = undefined;
    }
    return own !== undefined && Object.hasOwn(FAILURES, own) ? own : classifyFailure(error, phase);
  };
}
