// The loader hook that runs in the application's own thread: the one that Node is moving to.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const ofOpenTelemetry = createRequire(
  createRequire(import.meta.url).resolve('@opentelemetry/instrumentation'),
);
const hooks = ofOpenTelemetry.resolve('import-in-the-middle/register-hooks.mjs');
const { register } = (await import(pathToFileURL(hooks).href)) as { register(): void };
register();
