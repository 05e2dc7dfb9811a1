import { mysqlSessions } from '../mysql2/sessions.js';
import { pgSessions } from '../pg/sessions.js';
import type { Sessions } from '../sessions.js';
import type { KnexConnection } from './shapes.js';

const pg = pgSessions as Sessions<never> as Sessions<KnexConnection>;
const mysql2 = mysqlSessions as Sessions<never> as Sessions<KnexConnection>;

/** By knex's `driverName`; the drivers that are not here do not tell. */
const SESSIONS: Readonly<Record<string, Sessions<KnexConnection>>> = { pg, cockroachdb: pg, mysql2 };

export function sessionsOf(driverName: string | undefined): Sessions<KnexConnection> | undefined {
  return SESSIONS[driverName ?? ''];
}
