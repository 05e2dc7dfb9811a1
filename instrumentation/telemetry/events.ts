import { type Attributes, type Context, type Logger, ROOT_CONTEXT } from '@opentelemetry/api';
import type { EventRow } from './signal-table.js';

/** The API's `SeverityNumber`, which its version 1.9 does not have. */
const SEVERITIES = { INFO: 9, WARN: 13, ERROR: 17 } as const;

/**
 * Something happened to a pool that is worth a line: a log record with a name, in the trace of `caller` or in none: the pool's own timers run in the context of
 * whoever happened to arm them.
 */
export function tellEvent(
  logger: Logger,
  event: EventRow,
  attributes: Attributes,
  caller: Context = ROOT_CONTEXT,
): void {
  logger.emit({
    context: caller,
    eventName: event.name,
    severityNumber: SEVERITIES[event.severity],
    severityText: event.severity,
    attributes: attributes as Record<string, string | number>,
  });
}
