// Preloaded by programs that run on their own: FLAVOUR says what becomes of their pools. Warnings go to the output.
import { dirname, join } from 'node:path';
import { patchKnex, patchMysql2Pool, patchPgPool } from '../../adapters/patches.js';
import { HOSTS } from './hosts.js';

const host = HOSTS[process.env.FLAVOUR as keyof typeof HOSTS];
if (host !== undefined) {
  const mysql2 = dirname(require.resolve('mysql2'));
  const knex = dirname(require.resolve('knex'));
  patchPgPool(require('pg-pool'), host);
  patchMysql2Pool(require(join(mysql2, 'lib/base/pool.js')), host);
  patchKnex(
    {
      Client: require(join(knex, 'lib/client.js')),
      Runner: require(join(knex, 'lib/execution/runner.js')),
      Transaction: require(join(knex, 'lib/execution/transaction.js')),
    },
    host,
  );
}

process.on('warning', ({ name }) => console.log(name));
