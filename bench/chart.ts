/** What one axis shows. */
export interface Axis {
  readonly label: string;
  /** Equal steps are equal ratios. */
  readonly logarithmic?: boolean;
}

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What the report draws; what it shows must be readable from a table as well. */
export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** What a reader must know to read it. */
  readonly note?: string;
}
