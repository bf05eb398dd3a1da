import { z } from "zod";
import { PLAN_BOUNDS } from "./defaults.js";

const DURATION = /^\s*(\d+(?:\.\d+)?)\s*(us|ms|s|m|h)\s*$/;
const NO_DURATION = "is no duration: write milliseconds, or 500ms, 30s, 2m, 1h";
const MS_PER_UNIT: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads `30s`, `500ms`, `2m`; undefined when it is no duration. Milliseconds, rounded. */
export function parseDurationMs(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * (MS_PER_UNIT[match[2] ?? "ms"] ?? 1));
}

/** The shortest exact spelling: 90000 is `90s`, 120000 is `2m`. */
export function formatDurationMs(ms: number): string {
  for (const unit of ["h", "m", "s"]) {
    const size = MS_PER_UNIT[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** What stands beside a key in the JSON Schema and in docs/plan.md. */
export interface KeyNote {
  readonly unit?: string;
  readonly example?: unknown;
}

export function note(description: string, { unit, example }: KeyNote = {}) {
  return {
    description,
    ...(unit === undefined ? {} : { "x-unit": unit }),
    ...(example === undefined ? {} : { "x-example": example }),
  };
}

/** A duration key: integer milliseconds, or a text such as `30s`. */
export function durationMs(
  description: string,
  bounds: { readonly min: number; readonly max: number },
  example: number | string,
) {
  const range = `must be between ${formatDurationMs(bounds.min)} and ${formatDurationMs(bounds.max)}`;
  return z
    .union([z.int().min(bounds.min, range).max(bounds.max, range), z.string().regex(DURATION, NO_DURATION)], {
      error: NO_DURATION,
    })
    .transform((value) => (typeof value === "number" ? value : (parseDurationMs(value) ?? 0)))
    .refine((ms) => ms >= bounds.min && ms <= bounds.max, { error: range })
    .meta(note(description, { unit: "ms, or text", example }));
}

const tokens = z.int().min(1).max(10_000_000);

/** A length in tokens: a number, or a distribution. Drawn values are rounded and kept within min and max. */
export const Length = z.union(
  [
    tokens,
    z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("fixed"), tokens }),
      z.strictObject({ kind: z.literal("uniform"), min: tokens, max: tokens }),
      z.strictObject({
        kind: z.literal("normal"),
        mean: tokens,
        sd: z.number().min(0),
        min: tokens.optional(),
        max: tokens.optional(),
      }),
      z.strictObject({
        kind: z.literal("lognormal"),
        median: tokens,
        sigma: z.number().min(0).max(5),
        min: tokens.optional(),
        max: tokens.optional(),
      }),
    ]),
  ],
  {
    error:
      "is no length: write a number of tokens, or kind fixed, uniform, normal or lognormal with its values",
  },
);
export type Length = z.infer<typeof Length>;

/** A file of the submitter's, and what it was when the plan was submitted. */
export const dataFile = {
  file: z
    .string()
    .min(1)
    .max(4096)
    .meta(
      note("The file, read where the plan is submitted; agents get it by its digest.", {
        example: "prompts.jsonl",
      }),
    ),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "is no SHA-256: 64 of 0-9 and a-f")
    .optional()
    .meta(
      note("Its digest. Filled in at submission; a file that is not the one that a plan states is refused.", {
        example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      }),
    ),
  bytes: z
    .int()
    .min(1)
    .max(PLAN_BOUNDS.dataSetBytes.max)
    .optional()
    .meta(note("Its size; filled in at submission.", { unit: "bytes", example: 1_000_000 })),
};
