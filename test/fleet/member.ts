// A process or a thread with two pools, each of which has been used.
import { parentPort } from 'node:worker_threads';
import pg from 'pg';

const { FLEET_PG_URL: connectionString } = process.env;

async function main(): Promise<void> {
  const pools = [1, 2].map(() => new pg.Pool({ connectionString, max: 5 }));
  const tell = (what: string) => (parentPort === null ? process.send!(what) : parentPort.postMessage(what));
  (parentPort ?? process).once('message', async () => {
    await Promise.all(pools.map((pool) => pool.end()));
    if (parentPort === null) process.disconnect();
  });
  await Promise.all(pools.map((pool) => pool.query('select 1')));
  tell('used');
}

main();
