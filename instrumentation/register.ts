// For `node --require opentelemetry-instrumentation-enhanced-pool/register` and `--import`, before or after the SDK's
// own register: metrics begin as soon as there is an SDK to collect them.
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { isSwitchedOff } from './environment.js';
import { someoneIsEnlisted } from './hosts.js';
import { EnhancedPoolInstrumentation } from './instrumentation.js';

// One that was made in code knows better than the environment.
if (!isSwitchedOff() && !someoneIsEnlisted()) {
  registerInstrumentations({ instrumentations: [new EnhancedPoolInstrumentation()] });
}
