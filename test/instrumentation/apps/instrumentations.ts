import type { Instrumentation } from '@opentelemetry/instrumentation';
import { KnexInstrumentation } from '@opentelemetry/instrumentation-knex';
import { MySQL2Instrumentation } from '@opentelemetry/instrumentation-mysql2';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { EnhancedPoolInstrumentation } from '../../../instrumentation/index.js';

/** What APP_INSTRUMENTATIONS lists, in that order: `stock` for those of pg, mysql2 and knex, `enhanced` for ours. */
export function instrumentations(): Instrumentation[] {
  return (process.env.APP_INSTRUMENTATIONS ?? '').split(',').flatMap((name): Instrumentation[] => {
    if (name === 'enhanced') return [new EnhancedPoolInstrumentation()];
    if (name !== 'stock') return [];
    return [new PgInstrumentation(), new MySQL2Instrumentation(), new KnexInstrumentation()];
  });
}
