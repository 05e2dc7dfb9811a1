import { type Attributes, type Logger, SeverityNumber } from '@opentelemetry/api';
import type { EventRow } from './signal-table.js';

const SEVERITIES = {
  INFO: SeverityNumber.INFO,
  WARN: SeverityNumber.WARN,
  ERROR: SeverityNumber.ERROR,
} as const;

/** Something happened to a pool that is worth a line: a log record with a name. */
export function tellEvent(logger: Logger, event: EventRow, attributes: Attributes): void {
  logger.emit({
    eventName: event.name,
    severityNumber: SEVERITIES[event.severity],
    severityText: event.severity,
    attributes: attributes as Record<string, string | number>,
  });
}
