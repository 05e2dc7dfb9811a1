import { expect } from 'chai';
import {
  classifierOf,
  classifyFailure,
  FAILURES,
  type FailurePattern,
  type FailurePhase,
} from '../../../src/health/failure.js';

type Case = readonly [what: string, error: unknown, phase: FailurePhase, pattern: FailurePattern];

/** As pg makes them of the server's messages. */
function postgres(code: string, message = 'words of the server', severity = 'ERROR'): Error {
  return Object.assign(new Error(message), { code, severity });
}

/** As mysql2 makes them. */
function mysql(errno: number, code: string, message = 'words of the server', fatal?: boolean): Error {
  return Object.assign(new Error(message), { errno, code, sqlState: 'HY000', fatal });
}

/** As Node makes them. */
function system(code: string, errno = -111): Error {
  return Object.assign(new Error(`connect ${code} 127.0.0.1:1`), { code, errno, syscall: 'connect' });
}

const CASES: readonly Case[] = [
  ['a unique violation', postgres('23505'), 'use', 'statement_error'],
  ['a syntax error', postgres('42601'), 'use', 'statement_error'],
  ['an aborted transaction', postgres('25P02'), 'use', 'statement_error'],
  ['a missing privilege on a table', postgres('42501'), 'use', 'statement_error'],
  ['a missing privilege to connect', postgres('42501', '', 'FATAL'), 'connect', 'database_missing'],
  ['an error raised by a function', postgres('P0001'), 'use', 'statement_error'],
  ['a feature that is missing', postgres('0A000'), 'use', 'statement_error'],
  [
    'a plan whose result changed',
    postgres('0A000', 'cached plan must not change result type'),
    'use',
    'plan_invalid',
  ],
  ['a prepared statement that is gone', postgres('26000'), 'use', 'plan_invalid'],
  ['a prepared statement that exists', postgres('42P05'), 'use', 'plan_invalid'],
  ['a serialization failure', postgres('40001'), 'use', 'lock_conflict'],
  ['a deadlock', postgres('40P01'), 'use', 'lock_conflict'],
  ['a lock that is not available', postgres('55P03'), 'use', 'lock_conflict'],
  ['a cancelled statement', postgres('57014'), 'use', 'statement_timeout'],
  ['a transaction that ran out of time', postgres('25P04', '', 'FATAL'), 'use', 'session_ended'],
  ['an idle transaction that was ended', postgres('25P03', '', 'FATAL'), 'use', 'idle_killed'],
  ['an idle session that was ended', postgres('57P05', '', 'FATAL'), 'use', 'idle_killed'],
  ['pg_terminate_backend', postgres('57P01', '', 'FATAL'), 'use', 'session_ended'],
  ['a shutdown met while connecting', postgres('57P01', '', 'FATAL'), 'connect', 'starting'],
  ['a crash of another backend', postgres('57P02', '', 'WARNING'), 'use', 'starting'],
  ['a server that starts up', postgres('57P03', '', 'FATAL'), 'connect', 'starting'],
  ['a database that was dropped', postgres('57P04', '', 'FATAL'), 'use', 'session_ended'],
  ['a write on a standby', postgres('25006'), 'use', 'read_only'],
  ['too many clients', postgres('53300', '', 'FATAL'), 'connect', 'too_many_connections'],
  ['a configured limit while connecting', postgres('53400', '', 'FATAL'), 'connect', 'too_many_connections'],
  ['a configured limit of a statement', postgres('53400'), 'use', 'out_of_resources'],
  ['a full disk', postgres('53100'), 'use', 'out_of_resources'],
  ['no memory', postgres('53200'), 'use', 'out_of_resources'],
  ['an input or output error', postgres('58030'), 'use', 'out_of_resources'],
  ['a wrong password', postgres('28P01', '', 'FATAL'), 'connect', 'authentication'],
  ['a missing role', postgres('28000', '', 'FATAL'), 'connect', 'authentication'],
  ['a missing database', postgres('3D000', '', 'FATAL'), 'connect', 'database_missing'],
  ['a connection failure told by a proxy', postgres('08006', '', 'FATAL'), 'use', 'network_reset'],
  [
    'a pooler whose queue is too long',
    postgres('08P01', 'query_wait_timeout', 'FATAL'),
    'use',
    'proxy_overloaded',
  ],
  [
    'a pooler that is full',
    postgres('08P01', 'no more connections allowed (max_client_conn)', 'FATAL'),
    'connect',
    'proxy_overloaded',
  ],
  [
    'a pooler that cannot reach its server',
    postgres('08P01', 'server login has been failing, try again later (server_login_retry)', 'FATAL'),
    'use',
    'proxied_server_away',
  ],
  ['a pooler whose server died', postgres('08P01', 'server conn crashed?', 'FATAL'), 'use', 'session_ended'],
  ['a broken protocol', postgres('08P01', 'invalid message length', 'FATAL'), 'use', 'protocol'],
  ['any fatal error', postgres('XX000', '', 'FATAL'), 'use', 'session_ended'],
  ['a panic', postgres('XX000', '', 'PANIC'), 'use', 'session_ended'],
  ['any fatal error of one opening', postgres('XX000', '', 'FATAL'), 'connect', 'statement_error'],
  ['an operator whose reason is not listed', postgres('57P09'), 'use', 'session_ended'],
  [
    "a function that uses a pooler's words",
    postgres('P0001', 'query_wait_timeout'),
    'use',
    'statement_error',
  ],
  ['pg: a query of which no answer came', new Error('Query read timeout'), 'use', 'read_timeout'],
  ['pg: a cut', new Error('Connection terminated unexpectedly'), 'use', 'network_reset'],
  ['pg: a cut while connecting', new Error('Connection terminated unexpectedly'), 'connect', 'starting'],
  ['pg: a connect that took too long', new Error('timeout expired'), 'connect', 'network_timeout'],
  [
    'pg: a client that had failed',
    new Error('Client has encountered a connection error and is not queryable'),
    'use',
    'network_reset',
  ],
  ['pg: no TLS', new Error('The server does not support SSL connections'), 'connect', 'tls'],
  [
    'pg: no password given',
    new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
    'connect',
    'authentication',
  ],

  ['MySQL: a duplicate', mysql(1062, 'ER_DUP_ENTRY'), 'use', 'statement_error'],
  ['MySQL: a syntax error', mysql(1064, 'ER_PARSE_ERROR'), 'use', 'statement_error'],
  ['MySQL: a lock wait', mysql(1205, 'ER_LOCK_WAIT_TIMEOUT'), 'use', 'lock_conflict'],
  ['MySQL: a deadlock', mysql(1213, 'ER_LOCK_DEADLOCK'), 'use', 'lock_conflict'],
  ['MySQL: a killed query', mysql(1317, 'ER_QUERY_INTERRUPTED'), 'use', 'statement_timeout'],
  ['MySQL: a killed query, fatal', mysql(1317, 'ER_QUERY_INTERRUPTED', '', true), 'use', 'session_ended'],
  ['MySQL: a statement out of time', mysql(3024, 'ER_QUERY_TIMEOUT'), 'use', 'statement_timeout'],
  ['MySQL: a table changed', mysql(1615, 'ER_NEED_REPREPARE'), 'use', 'plan_invalid'],
  ['MySQL: too many statements', mysql(1461, 'ER_MAX_PREPARED_STMT_COUNT_REACHED'), 'use', 'plan_invalid'],
  ['MySQL: an idle session', mysql(4031, 'ER_CLIENT_INTERACTION_TIMEOUT'), 'use', 'idle_killed'],
  ['MySQL: an idle session, fatal', mysql(4031, 'ER', '', true), 'use', 'idle_killed'],
  ['MySQL: any fatal error', mysql(1105, 'ER_UNKNOWN_ERROR', '', true), 'use', 'session_ended'],
  ['MySQL: any fatal error of one opening', mysql(1105, 'ER', '', true), 'connect', 'statement_error'],
  ['MySQL: a killed query, fatal to an opening', mysql(1317, 'ER', '', true), 'connect', 'statement_timeout'],
  ['MariaDB: a killed connection', mysql(1927, 'ER_CONNECTION_KILLED'), 'use', 'session_ended'],
  ['MySQL: a shutdown', mysql(1053, 'ER_SERVER_SHUTDOWN'), 'use', 'session_ended'],
  ['MySQL: a shutdown while connecting', mysql(1053, 'ER_SERVER_SHUTDOWN'), 'connect', 'starting'],
  ['MySQL: too many connections', mysql(1040, 'ER_CON_COUNT_ERROR'), 'connect', 'too_many_connections'],
  ['MySQL: too many of one user', mysql(1203, 'ER_TOO_MANY_USER'), 'connect', 'too_many_connections'],
  ['MySQL: a wrong password', mysql(1045, 'ER_ACCESS_DENIED'), 'connect', 'authentication'],
  ['MySQL: a denied file', mysql(1045, 'ER_ACCESS_DENIED'), 'use', 'statement_error'],
  ['MySQL: a missing database', mysql(1049, 'ER_BAD_DB_ERROR'), 'connect', 'database_missing'],
  ['MySQL: USE of a missing database', mysql(1049, 'ER_BAD_DB_ERROR'), 'use', 'statement_error'],
  ['MySQL: a blocked host', mysql(1129, 'ER_HOST_IS_BLOCKED'), 'connect', 'host_blocked'],
  ['MySQL: no memory', mysql(1037, 'ER_OUTOFMEMORY'), 'use', 'out_of_resources'],
  [
    'MySQL: a write on a replica',
    mysql(1290, 'ER', 'The server is running with the --read-only option so it cannot execute this'),
    'use',
    'read_only',
  ],
  [
    'MySQL: a file that may not be read',
    mysql(1290, 'ER', 'The server is running with the --secure-file-priv option'),
    'use',
    'statement_error',
  ],
  ['MySQL: the read-only mode', mysql(1836, 'ER_READ_ONLY_MODE'), 'use', 'read_only'],
  ['MySQL: a read-only transaction', mysql(1792, 'ER_CANT_EXECUTE'), 'use', 'statement_error'],
  [
    'mysql2: a lost connection',
    Object.assign(new Error('Connection lost'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true }),
    'use',
    'network_reset',
  ],
  [
    'mysql2: a connection lost in the handshake',
    Object.assign(new Error('Connection lost'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true }),
    'connect',
    'starting',
  ],
  [
    'mysql2: a query of which no answer came',
    Object.assign(new Error('Query inactivity timeout'), {
      code: 'PROTOCOL_SEQUENCE_TIMEOUT',
      errno: 'ETIMEDOUT',
    }),
    'use',
    'read_timeout',
  ],
  [
    'mysql2: a closed connection',
    Object.assign(new Error("Can't add new command when connection is in closed state"), { fatal: true }),
    'use',
    'network_reset',
  ],
  [
    'mysql2: no TLS',
    Object.assign(new Error('Server does not support secure connection'), {
      code: 'HANDSHAKE_NO_SSL_SUPPORT',
    }),
    'connect',
    'tls',
  ],
  ['any fatal error of a driver', Object.assign(new Error('?'), { fatal: true }), 'use', 'protocol'],

  ['a refused connect', system('ECONNREFUSED'), 'connect', 'refused'],
  [
    'a refused connect to all addresses',
    Object.assign(new AggregateError([system('ECONNREFUSED')], ''), { code: 'ECONNREFUSED' }),
    'connect',
    'refused',
  ],
  ['a missing socket file', system('ENOENT', -2), 'connect', 'refused'],
  ['a reset', system('ECONNRESET', -104), 'use', 'network_reset'],
  ['a reset in the handshake', system('ECONNRESET', -104), 'connect', 'starting'],
  ['a broken pipe', system('EPIPE', -32), 'use', 'network_reset'],
  ['silence', system('ETIMEDOUT', -110), 'use', 'network_timeout'],
  ['no route', system('EHOSTUNREACH', -113), 'connect', 'network_timeout'],
  ['a name that is unknown', system('ENOTFOUND', -3008), 'connect', 'name_unknown'],
  ['a name service that is down', system('EAI_AGAIN', -3001), 'connect', 'name_unknown'],
  ['a certificate signed by itself', system('DEPTH_ZERO_SELF_SIGNED_CERT', 0), 'connect', 'tls'],
  ['any TLS error', system('ERR_TLS_CERT_ALTNAME_INVALID', 0), 'connect', 'tls'],
  ["the pool's own deadline", system('OPEN_TIMEOUT', 0), 'connect', 'network_timeout'],

  ["a programmer's error", new TypeError('x is not a function'), 'use', 'unknown'],
  ['five letters that are no SQLSTATE', Object.assign(new Error(''), { code: 'EPROT' }), 'use', 'unknown'],
  ['a number for a code', Object.assign(new Error(''), { code: 57014, severity: 'ERROR' }), 'use', 'unknown'],
  ['a symbol for a message', { message: Symbol('oh') }, 'use', 'unknown'],
  ['a string', 'oh', 'use', 'unknown'],
  ['null', null, 'use', 'unknown'],
  ['nothing', undefined, 'connect', 'unknown'],
];

describe('classifyFailure', () => {
  for (const [what, error, phase, pattern] of CASES) {
    it(`knows ${what} (${phase}) for ${pattern}`, () => {
      expect(classifyFailure(error, phase)).equal(pattern);
    });
  }

  it('has a case for every pattern', () => {
    const seen = new Set(CASES.map(([, , , pattern]) => pattern));
    expect(Object.keys(FAILURES).filter((name) => !seen.has(name as FailurePattern))).deep.equal([]);
  });

  it('never takes what is one statement’s affair for the end of a connection', () => {
    const wrong = Object.entries(FAILURES).filter(([, { scope, fatal }]) => scope === 'statement' && fatal);
    expect(wrong).deep.equal([]);
  });
});

describe('classifierOf', () => {
  it('heeds the hook where it knows better', () => {
    const classify = classifierOf((error) => ((error as Error).message === 'ours' ? 'read_only' : undefined));
    expect(classify(new Error('ours'), 'use')).equal('read_only');
    expect(classify(postgres('23505'), 'use')).equal('statement_error');
  });

  it('leaves a hook that throws, or names no pattern, unheeded', () => {
    const throwing = classifierOf(() => {
      throw new Error('no');
    });
    expect(throwing(postgres('57P01'), 'use')).equal('session_ended');
    const inventing = classifierOf(() => 'toString' as FailurePattern);
    expect(inventing(postgres('57P01'), 'use')).equal('session_ended');
  });
});
