import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { EnhancedPoolInstrumentation } from '../../../instrumentation/index.js';

registerInstrumentations({ instrumentations: [new EnhancedPoolInstrumentation()] });
registerInstrumentations({ instrumentations: [new EnhancedPoolInstrumentation()] });
