import { type Observation, STEP_MS } from './observation.js';

/** Holt's method with a damped trend: weights of the newest level and slope, and what is left of a slope each step. */
const LEVEL_WEIGHT = 0.3;
const SLOPE_WEIGHT = 0.1;
const DAMPING = 0.9;
const ERROR_WEIGHT = 0.05;
/** Rest or standstill for longer ends a trend. */
const LONGEST_GAP_STEPS = 10;

/**
 * Extends the trend of the offered load by the time a connection takes to open: ŷ = level + Σφⁱ·slope, plus two standard
 * deviations of a Poisson load and of its own error. Load that is offered also counts who had to wait, so a full pool does
 * not look like a flat one.
 */
export class Trend {
  #level = 0;
  #slope = 0;
  #squaredError = 0;
  #started = false;

  step({ load, elapsedMs, stalled, connectMs }: Observation): number {
    if (stalled || elapsedMs > LONGEST_GAP_STEPS * STEP_MS || !this.#started) {
      this.#level = load;
      this.#slope = 0;
      this.#started = true;
    } else {
      const expected = this.#level + DAMPING * this.#slope;
      const error = load - expected;
      this.#squaredError += ERROR_WEIGHT * (error * error - this.#squaredError);
      this.#level = expected + LEVEL_WEIGHT * error;
      this.#slope = DAMPING * this.#slope + LEVEL_WEIGHT * SLOPE_WEIGHT * error;
    }
    const horizon = Math.ceil((connectMs + STEP_MS) / STEP_MS);
    const reach = (DAMPING * (1 - DAMPING ** horizon)) / (1 - DAMPING);
    const forecast = Math.max(0, this.#level + reach * this.#slope);
    return Math.round(forecast + 2 * Math.sqrt(forecast + this.#squaredError / 2));
  }
}
