export type { Host, PoolInfo, PoolSetup } from './host.js';
export { patchKnex } from './knex/patch.js';
export { patchMysql2Pool } from './mysql2/patch.js';
export { patchPgPool } from './pg/patch.js';
