import { type Context, context, isSpanContextValid, trace } from '@opentelemetry/api';
import type { Callers } from '../../src/index.js';

/** Callers by their active span: those of one trace are one task. Its span is looked up only where something is to be said. */
export const spanCallers: Callers = {
  current: () => context.active(),
  taskOf: (caller) => spanContextOf(caller)?.traceId,
  describe(caller) {
    const found = spanContextOf(caller);
    return found && `trace ${found.traceId}, span ${found.spanId}`;
  },
};

function spanContextOf(caller: unknown) {
  const found = caller === undefined ? undefined : trace.getSpanContext(caller as Context);
  return found !== undefined && isSpanContextValid(found) ? found : undefined;
}
