/** A point of a line. `low` and `high` bound y, as an error bar or, for a band, as its edges. */
export interface Mark {
  readonly x: number;
  readonly y: number;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  /** Written beside the point. */
  readonly label?: string | undefined;
}

export interface Series {
  readonly name: string;
  /** Which of the palette's lines: colour, dash and shape go together, so that none of them is needed alone. */
  readonly tone: number;
  /** `points`: markers joined by a line; `line`: a line without markers; `steps`: held until the next; `hollow`: markers alone. */
  readonly kind: "points" | "line" | "steps" | "hollow";
  /** Null breaks the line: nothing is known there. */
  readonly marks: readonly (Mark | null)[];
  /** Draw the least and greatest as a band in place of bars. */
  readonly band?: boolean;
}

export interface Axis {
  readonly label: string;
  readonly scale: "linear" | "log" | "time" | "percentile";
  readonly format: (value: number) => string;
  /** Bounds that the data may widen; without them 0 to the greatest (linear), or what the data span. */
  readonly from?: number;
  readonly to?: number;
  /** End where the values end, not at the next whole mark. */
  readonly isExact?: boolean;
  /** Marks in place of those that the scale finds. */
  readonly ticks?: readonly number[];
}

/** A shaded part of the x axis. */
export interface Strip {
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly isMeasured: boolean;
}

/** Filled rectangles of one shade, 1 (fewest) to 6: a heat map. */
export interface Cell {
  readonly fromX: number;
  readonly toX: number;
  readonly fromY: number;
  readonly toY: number;
  readonly shade: string;
}

export interface ChartSpec {
  readonly id: string;
  readonly title: string;
  /** What it shows and how it ends, in a sentence or two; read out in place of the drawing. */
  readonly summary: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  readonly strips?: readonly Strip[];
  readonly cells?: readonly Cell[];
  /** Names of shades that stand in the legend. */
  readonly shades?: readonly { readonly shade: string; readonly name: string }[];
  readonly height?: number;
  /** Horizontal lines with a name. */
  readonly rules?: readonly { readonly y: number; readonly label: string }[];
  readonly table: TableSpec;
  /** What a reader must know of how it was made. */
  readonly note?: string;
}

export interface TableSpec {
  readonly columns: readonly string[];
  /** First cell is the row's head. */
  readonly rows: () => readonly (readonly string[])[];
  /** So few that paper shows them too. */
  readonly isShort?: boolean;
}
