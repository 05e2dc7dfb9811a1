import { remaining } from '../decay.js';
import { type Observation, STEP_MS } from './observation.js';

/** log2 e = 1 / ln 2: with it the sum below is the log-likelihood ratio of a doubled Poisson rate, in units of ln 2. */
const DRIFT = Math.LOG2E;
/** Nine nats: chance alone passes it about once in 8,000 steps. */
const ALARM = 13;
const USUAL_HALF_LIFE_MS = 20_000;
/** How long an alarm is heeded. */
const HEEDED_MS = 2_000;

/** A CUSUM over arrivals: raises the alarm when they come twice as fast as usual, and asks for twice the demand seen. */
export class BurstAlarm {
  #sum = 0;
  /** Arrivals a step, and how much of a whole record they are: a young one is not a low one. */
  #usual = 0;
  #known = 0;
  #heededUntil = Number.NEGATIVE_INFINITY;
  #floor = 0;
  #alarms = 0;

  /** Alarms so far. */
  get alarms(): number {
    return this.#alarms;
  }

  step({ now, elapsedMs, arrivals, peak, stalled }: Observation): number {
    if (stalled) return this.#standing(now);
    const steps = Math.max(elapsedMs, 1) / STEP_MS;
    const usual = this.#known > 0 ? this.#usual / this.#known : 0;
    this.#sum = Math.max(0, this.#sum + arrivals - DRIFT * usual * steps);
    const alarmed = this.#sum > ALARM;
    const kept = remaining(elapsedMs, USUAL_HALF_LIFE_MS);
    this.#usual = kept * this.#usual + (1 - kept) * (arrivals / steps);
    this.#known = kept * this.#known + (1 - kept);
    if (alarmed) {
      if (now >= this.#heededUntil) {
        this.#alarms += 1;
        this.#floor = 0;
      }
      this.#sum = 0;
      // A rate that lasts is the usual one from here on, and no alarm again.
      this.#usual = (this.#known * arrivals) / steps;
      this.#heededUntil = now + HEEDED_MS;
      this.#floor = Math.max(this.#floor, 2 * peak);
    }
    return this.#standing(now);
  }

  #standing(now: number): number {
    return now < this.#heededUntil ? this.#floor : 0;
  }
}
