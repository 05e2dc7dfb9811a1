// What OpenTelemetry has users of ES modules preload; we work with and without it.
import { register } from 'node:module';

register('@opentelemetry/instrumentation/hook.mjs', import.meta.url);
