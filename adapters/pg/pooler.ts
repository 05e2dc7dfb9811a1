import { classifyFailure, type PoolerReport } from '../../src/index.js';
import type { Warn } from '../host.js';
import { endsSession } from './failures.js';
import type { PgClient } from './shapes.js';
import { run } from './transaction.js';

/** What the user says stands between a pool and its PostgreSQL. */
export interface PoolerConfig {
  /** Default `'auto'`: one is looked for. One that is found, and not known to keep sessions, is taken to lend its connections by the transaction. */
  mode?: 'auto' | 'none' | 'session' | 'transaction';
  /** Whether a pooler in transaction mode keeps prepared statements: PgBouncer from 1.21 on with `max_prepared_statements`. Default false. */
  preparedStatements?: boolean;
}

/** The highest number of a process: Linux's `pid_max`, 2^22. Poolers make their numbers up of 32 random bits. */
const HIGHEST_PROCESS_ID = 4_194_304;

/** Server connections of a pooler that are remembered. */
const MAX_BACKENDS = 256;

/** What stands between a pool and its server, as its clients show it. */
export class PgPooler implements PoolerReport {
  mode: PoolerReport['mode'];
  readonly declared: boolean;
  readonly preparedStatements: boolean;
  /** Whether the pooler said that it cannot reach its server: it goes on to welcome clients all the same. */
  #doubted = false;
  /** Whether a number that looked made up was the server's own. */
  #cleared = false;
  /** Who was last answered by which of the server's processes. */
  readonly #lastOn = new Map<number, WeakRef<PgClient>>();
  readonly #backendOf = new WeakMap<PgClient, number>();
  /** Undefined where nobody listens, and once he was told. */
  #warn: Warn | undefined;
  /** The first statement that goes by its session, or leaves something in it. */
  #sessionUse: string | undefined = undefined;

  constructor({ mode = 'auto', preparedStatements = false }: PoolerConfig = {}, warn?: Warn) {
    this.#warn = warn;
    this.declared = mode !== 'auto';
    this.mode = mode === 'auto' ? 'none' : mode;
    this.preparedStatements = preparedStatements;
  }

  /** Whether a name given to a statement on a client is still known when it is used there again. */
  get keepsNames(): boolean {
    return this.mode === 'none' || this.mode === 'session' || this.preparedStatements;
  }

  /** A statement of this summary, met for the first time, goes by its session or leaves something in it. */
  sessionUsed(summary: string): void {
    this.#sessionUse ??= summary;
    this.#warnOfSessions();
  }

  #warnOfSessions(): void {
    if (this.mode !== 'transaction' || this.#sessionUse === undefined) return;
    this.#warn?.(
      `${this.#sessionUse} goes by its session, or leaves something in it, and behind a pooler in transaction mode the next statement may ` +
        'have another: what it sets or locks is lost, or meets others. Use SET LOCAL and pg_advisory_xact_lock within a transaction, and a ' +
        'connection past the pooler for LISTEN; or declare pooler: { mode: "session" } if it keeps sessions. This is told once for each pool.',
    );
    this.#warn = undefined;
  }

  /** A client has connected. Undefined where that shows that the server is there; else it settles when that is known. */
  welcomed(client: PgClient): Promise<void> | undefined {
    if (!this.declared && !this.#cleared && this.mode === 'none' && isMadeUp(client)) this.mode = 'unknown';
    return this.#doubted ? this.ask(client) : undefined;
  }

  /** What a pooler could answer by itself proves nothing of the server; the number of the server's process it cannot know. */
  async ask(client: PgClient): Promise<void> {
    if (this.mode === 'none') return run(client, '');
    try {
      this.#answered(client, await backendOf(client));
    } catch (error) {
      if (endsSession(error)) throw error;
    }
    this.#doubted = false;
  }

  /** A statement, or a client that was to connect, met `error`. */
  failed(error: unknown): void {
    if (classifyFailure(error, 'use') === 'proxied_server_away') this.#doubted = true;
  }

  #answered(client: PgClient, backend: number): void {
    if (this.mode !== 'unknown') return;
    if (backend === client.processID) {
      this.mode = 'none';
      this.#cleared = true;
      return;
    }
    const before = this.#backendOf.get(client);
    const other = this.#lastOn.get(backend)?.deref();
    const isShared = other !== undefined && other !== client && isOpen(other);
    if (isShared || (before !== undefined && before !== backend)) {
      this.mode = 'transaction';
      this.#lastOn.clear();
      this.#warnOfSessions();
      return;
    }
    if (this.#lastOn.size >= MAX_BACKENDS) this.#lastOn.clear();
    this.#lastOn.set(backend, new WeakRef(client));
    this.#backendOf.set(client, backend);
  }
}

function isMadeUp({ processID }: PgClient): boolean {
  return typeof processID === 'number' && (processID < 0 || processID > HIGHEST_PROCESS_ID);
}

function isOpen({ _ending, _queryable, connection }: PgClient): boolean {
  return _ending !== true && _queryable !== false && connection?.stream?.destroyed !== true;
}

function backendOf(client: PgClient): Promise<number> {
  return new Promise((resolve, reject) => {
    client.query('SELECT pg_backend_pid() AS pid', undefined, (error: unknown, result: unknown) => {
      if (error) reject(error);
      else resolve(Number((result as { rows: { pid: unknown }[] }).rows[0]?.pid));
    });
  });
}
