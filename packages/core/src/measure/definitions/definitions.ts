/** Whose definitions a run is told in. */
export const DEFINITIONS = ["vllm", "study"] as const;
export type Definitions = (typeof DEFINITIONS)[number];

/** A figure as somebody else defines it, and how it was made from what we keep. */
export interface DefinedFigure {
  /** Their name. */
  readonly name: string;
  readonly unit: string;
  /** What it was computed from here. */
  readonly how: string;
  /** In what it may still differ from theirs; null where it cannot. */
  readonly differs: string | null;
}

/** `between`: what was kept bounds it and no more. `unknown`: it cannot be told of this level, and why. */
export type DefinedValue =
  | { readonly kind: "value"; readonly value: number }
  | { readonly kind: "between"; readonly atLeast: number; readonly atMost: number }
  | { readonly kind: "word"; readonly word: string }
  | { readonly kind: "unknown"; readonly why: string };

/** One run in somebody else's definitions; never a figure that was not recomputed from it. */
export interface DefinitionsReport {
  readonly schemaVersion: 1;
  readonly definitions: Definitions;
  readonly run: string;
  /** What must be known to read it, a sentence each. */
  readonly basis: readonly string[];
  readonly figures: readonly DefinedFigure[];
  readonly levels: readonly {
    readonly name: string;
    /** By the name of the figure. */
    readonly values: Readonly<Record<string, DefinedValue>>;
  }[];
  readonly notRecomputed: readonly { readonly name: string; readonly why: string }[];
}

/** A figure with what computes it from a level. */
export interface FigureOf<Level> extends DefinedFigure {
  readonly of: (level: Level) => DefinedValue;
}

export const value = (of: number | null, why: string): DefinedValue =>
  of === null ? { kind: "unknown", why } : { kind: "value", value: of };

export const unknown = (why: string): DefinedValue => ({ kind: "unknown", why });
