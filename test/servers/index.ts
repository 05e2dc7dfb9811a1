import type { Database } from './database.js';
import { type MysqlOptions, startMysql } from './mariadb.js';
import { type PostgresOptions, startPostgres } from './postgres.js';

export type { Database } from './database.js';
export type { MysqlOptions } from './mariadb.js';
export type { PostgresOptions } from './postgres.js';

export interface WantedDatabases {
  readonly postgres?: boolean | PostgresOptions;
  readonly mysql?: boolean | MysqlOptions;
}

/** Exactly the databases asked for, so that nobody must check for the others. */
export type Databases<Kind extends keyof WantedDatabases> = Readonly<Record<Kind, Database>> & {
  stop(): Promise<void>;
};

type KindsOf<Wanted extends WantedDatabases> = {
  [Kind in keyof WantedDatabases]-?: Wanted[Kind] extends true | object ? Kind : never;
}[keyof WantedDatabases];

/**
 * The databases of PG_URL and MYSQL_URL; for want of them, private servers of our own, stopped by `stop` and at the
 * latest by our end, however it comes.
 */
export async function startDatabases<const Wanted extends WantedDatabases>(
  wanted: Wanted,
): Promise<Databases<KindsOf<Wanted>>> {
  const starts: Promise<[keyof WantedDatabases, Database]>[] = [];
  if (wanted.postgres) starts.push(startPostgres(optionsOf(wanted.postgres)).then((it) => ['postgres', it]));
  if (wanted.mysql) starts.push(startMysql(optionsOf(wanted.mysql)).then((it) => ['mysql', it]));

  const outcomes = await Promise.allSettled(starts);
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  const stop = async () => {
    await Promise.all(started.map(([, database]) => database.stop()));
  };
  if (failures.length > 0) {
    await stop();
    throw failures.length === 1
      ? failures[0]
      : new Error(failures.map((failure) => failure.message).join('\n\n'));
  }
  return { ...Object.fromEntries(started), stop } as Databases<KindsOf<Wanted>>;
}

function optionsOf<Options>(wanted: true | Options): Options | undefined {
  return wanted === true ? undefined : wanted;
}
