// The application's OpenTelemetry, as any application has it. Where it sends, and how often, comes from OTEL_* variables.
import { KnexInstrumentation } from '@opentelemetry/instrumentation-knex';
import { MySQL2Instrumentation } from '@opentelemetry/instrumentation-mysql2';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { NodeSDK } from '@opentelemetry/sdk-node';

const sdk = new NodeSDK({
  instrumentations: [
    new PgInstrumentation({ requireParentSpan: true }),
    new MySQL2Instrumentation(),
    new KnexInstrumentation({ requireParentSpan: true }),
  ],
});
sdk.start();
process.once('SIGTERM', () => sdk.shutdown());
