import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api';
import type { CheckReason, Slot } from '../../src/index.js';
import {
  ATTR_CHECK_OUTCOME,
  ATTR_CHECK_TOOK_MS,
  ATTR_CHECKS,
  ATTR_CHECKS_FAILED,
  ATTR_CONNECTION_ID,
} from './attribute-table.js';
import { errorType } from './attributes.js';
import { ATTR_ERROR_TYPE } from './semconv.js';
import { CHECKED_EVENT } from './signal-table.js';

export type CheckOutcome = 'ok' | 'failed' | 'timeout';

/** Checks for one reason that overlap, and the span that ends with the last of them. */
interface Round {
  readonly span: Span;
  readonly why: CheckReason;
  connections: number;
  underWay: number;
  failed: number;
}

/** Every connection is an event of its round's span: a larger crowd is several rounds. */
const CONNECTIONS_AT_MOST = 32;

/** The rounds of checks that are under way in one pool. */
export class HealthRounds {
  /** By reason, those that others may join. */
  readonly #open = new Map<CheckReason, Round>();
  readonly #of = new Map<Slot<unknown>, Round>();

  /** A check begins; `start` makes the span of its round when it is the first. */
  join(slot: Slot<unknown>, why: CheckReason, start: () => Span): void {
    let round = this.#open.get(why);
    if (round === undefined || round.connections === CONNECTIONS_AT_MOST) {
      round = { span: start(), why, connections: 0, underWay: 0, failed: 0 };
      this.#open.set(why, round);
    }
    round.connections += 1;
    round.underWay += 1;
    this.#of.set(slot, round);
  }

  /** The span of the round that a connection is checked in. */
  spanOf(slot: Slot<unknown>): Span | undefined {
    return this.#of.get(slot)?.span;
  }

  /** A check ended; gives the span of its round, if it was in one. */
  checked(slot: Slot<unknown>, outcome: CheckOutcome, tookMs: number, error: unknown): Span | undefined {
    const round = this.#of.get(slot);
    if (round === undefined) return undefined;
    if (outcome !== 'ok') round.failed += 1;
    if (round.span.isRecording()) {
      const told: Attributes = {
        [ATTR_CONNECTION_ID]: slot.id,
        [ATTR_CHECK_OUTCOME]: outcome,
        [ATTR_CHECK_TOOK_MS]: tookMs,
      };
      if (error !== undefined) told[ATTR_ERROR_TYPE] = errorType(error);
      round.span.addEvent(CHECKED_EVENT.name, told);
    }
    this.leave(slot);
    return round.span;
  }

  /** It is checked no more, with or without a result. The next one of its round may be asked within the same turn. */
  leave(slot: Slot<unknown>): void {
    const round = this.#of.get(slot);
    if (round === undefined) return;
    this.#of.delete(slot);
    round.underWay -= 1;
    queueMicrotask(() => {
      if (round.underWay === 0) this.#end(round);
    });
  }

  #end(round: Round): void {
    const { span, why, connections, failed } = round;
    if (this.#open.get(why) === round) this.#open.delete(why);
    if (!span.isRecording()) return;
    span.setAttributes({ [ATTR_CHECKS]: connections, [ATTR_CHECKS_FAILED]: failed });
    if (failed > 0)
      span.setStatus({ code: SpanStatusCode.ERROR, message: `${failed} of ${connections} failed` });
    span.end();
  }
}
