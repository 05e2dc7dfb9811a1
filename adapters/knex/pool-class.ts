import type { KnexFacade } from './facade.js';
import type { KnexConnection, PendingOperation, TarnOptions, TarnPool, TarnPoolClass } from './shapes.js';

const FACADE = Symbol('facade');

interface EnhancedPool extends TarnPool {
  readonly [FACADE]: KnexFacade;
}

type EnhancedPoolClass = new (options: TarnOptions) => TarnPool;

const enhancedClasses = new WeakMap<TarnPoolClass, EnhancedPoolClass>();

/**
 * The subclass of this tarn pool class whose scheduling runs on the engine. A subclass, so that `instanceof` holds and
 * whatever the engine does not replace is the application's own copy of tarn.
 */
export function enhancedClassOf(StockPool: TarnPoolClass): EnhancedPoolClass {
  const known = enhancedClasses.get(StockPool);
  if (known !== undefined) return known;

  class Enhanced extends StockPool implements EnhancedPool {
    declare readonly [FACADE]: KnexFacade;

    /** On a destroyed pool as in tarn: it times out, or is aborted once the pool is closed. */
    override acquire(): PendingOperation {
      if (this[FACADE].fallen) return super.acquire();
      return this.destroyed ? this[FACADE].turnAway(super.acquire()) : this[FACADE].acquire();
    }

    override release(connection: KnexConnection): boolean {
      return this[FACADE].knows(connection) ? this[FACADE].release(connection) : super.release(connection);
    }

    override check(): void {
      if (this[FACADE].fallen) super.check();
      else this[FACADE].check();
    }

    override destroy(): Promise<unknown> {
      return this[FACADE].fallen ? super.destroy() : this[FACADE].destroy();
    }

    override numUsed(): number {
      return this[FACADE].fallen ? super.numUsed() : this[FACADE].numUsed;
    }

    override numFree(): number {
      return this[FACADE].fallen ? super.numFree() : this[FACADE].numFree;
    }

    override numPendingAcquires(): number {
      return this[FACADE].fallen ? super.numPendingAcquires() : this[FACADE].numPendingAcquires;
    }

    override numPendingValidations(): number {
      return this[FACADE].fallen ? super.numPendingValidations() : this[FACADE].numPendingValidations;
    }

    override numPendingCreates(): number {
      return this[FACADE].fallen ? super.numPendingCreates() : this[FACADE].numPendingCreates;
    }
  }

  Object.defineProperty(Enhanced, 'name', { value: StockPool.name });
  enhancedClasses.set(StockPool, Enhanced);
  return Enhanced;
}

/** From here on `pool`, of an enhanced class, is what `facade` makes of it. */
export function attach(pool: TarnPool, facade: KnexFacade): void {
  Object.defineProperty(pool, FACADE, { value: facade });
}

/** The engine's view of a pool; undefined while it is stock. */
export function facadeOf(pool: TarnPool | undefined): KnexFacade | undefined {
  return (pool as EnhancedPool | undefined)?.[FACADE];
}

/** What `pool` was made of. */
export function optionsOf(pool: TarnPool): TarnOptions {
  return {
    create: pool.creator,
    destroy: pool.destroyer,
    validate: pool.validate,
    log: pool.log,
    min: pool.min,
    max: pool.max,
    acquireTimeoutMillis: pool.acquireTimeoutMillis,
    createTimeoutMillis: pool.createTimeoutMillis,
    destroyTimeoutMillis: pool.destroyTimeoutMillis,
    idleTimeoutMillis: pool.idleTimeoutMillis,
    reapIntervalMillis: pool.reapIntervalMillis,
    createRetryIntervalMillis: pool.createRetryIntervalMillis,
    propagateCreateError: pool.propagateCreateError,
  };
}
