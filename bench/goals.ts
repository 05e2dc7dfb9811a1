import { intervalOfMedian, median } from './statistics.js';
import { figure, range, type Table } from './table.js';

/** What `intervalOfMedian` gives, as it is told beside the number of rounds. */
export const INTERVAL = '95 % interval, or range of under 6 rounds';

/** What is promised, and what was measured: one value a round. */
export interface Goal {
  readonly claim: string;
  readonly unit: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  /** For a comparison of a peer with itself: what the interval must contain, else the run shows nothing. */
  readonly straddles?: number;
  readonly values: readonly number[];
}

/** A goal with its verdict, which the median decides, and for a comparison of a peer with itself the interval. */
export interface JudgedGoal extends Goal {
  readonly median: number;
  /** `intervalOfMedian`. */
  readonly interval: readonly [number, number];
  readonly met: boolean;
}

export function judge(goal: Goal): JudgedGoal {
  const { values, atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY, straddles } = goal;
  const middle = median(values);
  const interval = intervalOfMedian(values);
  const met =
    straddles === undefined
      ? Number.isFinite(middle) && middle <= atMost && middle >= atLeast
      : interval[0] <= straddles && straddles <= interval[1];
  return { ...goal, median: middle, interval, met };
}

export function goalTable(goals: readonly JudgedGoal[]): Table {
  return {
    title: 'Goals',
    columns: ['claim', 'goal', 'measured', INTERVAL, 'rounds', ''],
    rows: goals.map((goal) => [
      goal.claim,
      `${bound(goal)} ${goal.unit}`,
      figure(goal.median),
      range(goal.interval),
      goal.values.length,
      goal.met ? 'met' : 'NOT MET',
    ]),
    note: 'measured: median over the rounds, of paired figures where two peers are compared',
  };
}

/** The goal as it reads: "≥ 3". */
export function bound({
  atMost,
  atLeast,
  straddles,
}: Pick<Goal, 'atMost' | 'atLeast' | 'straddles'>): string {
  if (straddles !== undefined) return `straddles ${straddles}`;
  return atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
}
