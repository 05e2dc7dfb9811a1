// The SDK as OTEL_CONFIG_FILE describes it, which sends to APP_COLLECTOR. APP_INSTRUMENTATIONS is as in sdk.ts.
import { startNodeSdk } from '@opentelemetry/sdk-node';
import { instrumentations } from './instrumentations.js';
import type { Telemetry } from './work.js';

const sdk = startNodeSdk({ instrumentations: instrumentations() });

globalThis.collectTelemetry = async () => {
  await sdk.shutdown();
  return (await (await fetch(process.env.APP_COLLECTOR!)).json()) as Telemetry;
};
