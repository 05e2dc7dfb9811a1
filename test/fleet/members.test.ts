import cluster from 'node:cluster';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { createClient } from 'redis';
import { checkoutDirectory } from '../checkout.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { type Redis, startRedis } from '../servers/redis.js';

describe('the members of a fleet', function () {
  this.timeout(60_000);
  let databases: Databases<'postgres'>;
  let redis: Redis;

  before(async () => {
    [databases, redis] = await Promise.all([startDatabases({ postgres: true }), startRedis()]);
  });

  after(() => Promise.all([databases.stop(), redis.stop()]));

  it('are every pool of every worker of a cluster, and of every worker thread; they leave when they are closed', async () => {
    const env = {
      ...process.env,
      FLEET_PG_URL: databases.postgres.url,
      ENHANCED_POOL_FLEET: 'maxConnections=16,members=8,leaseMs=60000',
      ENHANCED_POOL_FLEET_REDIS: redis.url,
    };
    const execArgv = ['--require', join(checkoutDirectory(), 'dist/instrumentation/register.js')];
    const file = join(__dirname, 'member.js');
    cluster.setupPrimary({ exec: file, execArgv });
    const workers = [cluster.fork(env), cluster.fork(env)];
    const threads = [new Worker(file, { env, execArgv }), new Worker(file, { env, execArgv })];
    const all = [...workers, ...threads];
    const exits = all.map((each) => once(each, 'exit'));
    await Promise.all(all.map((each) => once(each, 'message')));
    expect(await membersOf(redis)).equal(8);
    for (const worker of workers) worker.send('end');
    for (const thread of threads) thread.postMessage('end');
    await Promise.all(exits);
    expect(await membersOf(redis)).equal(0);
  });
});

/** By the table of the only fleet that it knows. */
async function membersOf({ url }: Redis): Promise<number> {
  const client = createClient({ url });
  await client.connect();
  const [table] = await client.keys('*');
  const fields = await client.hKeys(table!);
  await client.close();
  return fields.filter((field) => field !== '#').length;
}
