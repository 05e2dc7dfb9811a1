import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type pg from 'pg';
import { patchPgPool } from '../../adapters/pg/patch.js';
import { WatchedPool } from '../../src/index.js';
import { HOSTS } from '../contract/hosts.js';
import { unload } from '../own-libraries.js';

/** A client of a server that never answers. */
class SilentClient extends EventEmitter {
  #connected: ((error: Error) => void) | undefined;
  readonly connection = {
    stream: { destroy: () => setImmediate(() => this.#connected?.(new Error('terminated'))) },
  };

  connect(connected: (error: Error) => void): void {
    this.#connected = connected;
  }

  end(done?: () => void): void {
    done?.();
  }
}

describe('a watched pg pool that nobody looks at', () => {
  it('forgets the connections that did not open, also those whose callers had gone', async () => {
    unload('pg', 'pg-pool');
    const Pool = require('pg-pool') as typeof pg.Pool;
    let watched: WatchedPool | undefined;
    patchPgPool(Pool as never, {
      ...HOSTS.observed!,
      watch: (_info, source) => {
        watched = new WatchedPool(source.facts);
        return { watched };
      },
    });
    const config = { Client: SilentClient, max: 1, connectionTimeoutMillis: 10 };
    const pool = new Pool(config as unknown as pg.PoolConfig);
    const clients = () => (pool as unknown as { _clients: unknown[] })._clients.length;
    for (let round = 0; round < 20; round += 1) {
      const opens = pool.connect().catch(() => {});
      await delay(4);
      // The client that fails frees the place for one that is opened for this caller, who goes before it fails.
      const queues = pool.connect().catch(() => {});
      await Promise.all([opens, queues]);
      while (clients() > 0) await delay(1);
      expect([...watched!.slots()].length, 'connections on their way').at.most(2);
    }
    expect(watched!.counters.timedOut).above(0);
    expect(watched!.counters.openFailed).above(20);
    await pool.end();
    unload('pg', 'pg-pool');
  });
});
