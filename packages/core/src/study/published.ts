import { z } from "zod";
import { LoadError } from "../errors.js";

/** A row of somebody's published table, in the server's own time. */
export interface PublishedRow {
  /** Users that the level claims; null where a name alone says which it is. */
  readonly users: number | null;
  readonly name: string;
  /** Prompt and output tokens together. */
  readonly totalTokensPerS: number;
  readonly outputTokensPerS: number | null;
  readonly e2eP99Us: number | null;
  readonly status: string | null;
}

export interface PublishedSeries {
  readonly id: string;
  readonly model: string;
  /** Title of the page that it stands on. */
  readonly source: string;
  readonly rows: readonly PublishedRow[];
  /** Of the row with the most tokens per second, where an interval was published for it. */
  readonly peak: { readonly totalTokensPerS: number; readonly ci95HalfWidth: number } | null;
}

const rate = z.number().nonnegative();
const level = z.object({
  nominal_concurrency: z.number().nullable(),
  total_tok_s: rate,
  output_tok_s: rate.nullish(),
  p99_latency_s: rate.nullish(),
  status: z.string().nullish(),
});
const PublishedFile = z.object({
  schema: z.literal("study-published-results/1"),
  series: z.array(
    z.object({
      id: z.string(),
      model: z.string(),
      source: z.string(),
      levels: z.array(level),
      peak: z.object({ total_tok_s: rate, ci95_half_width: rate }).optional(),
    }),
  ),
  stress: z
    .array(
      z.object({
        model: z.string(),
        suite: z.string(),
        source: z.string(),
        tests: z.array(level.extend({ test: z.string(), total_tok_s: rate.nullish() })),
      }),
    )
    .default([]),
  aiter_ablation: z
    .object({
      model: z.string(),
      source: z.string(),
      levels: z.array(z.object({ nominal_concurrency: z.number(), off_tok_s: rate, on_tok_s: rate })),
    })
    .optional(),
});

/**
 * Published rows by series: those of the tables under their own id, the AITER arms as `aiter-off` and `aiter-on`, the
 * stress tests as `<suite>-<model>` with rows by name. Throws PLAN_INVALID for a file of another form.
 */
export function parsePublished(input: unknown): PublishedSeries[] {
  const parsed = PublishedFile.safeParse(input);
  if (parsed.data === undefined) {
    const issue = parsed.error?.issues[0];
    throw new LoadError(
      "PLAN_INVALID",
      `the published rows cannot be read: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "another form"}`,
    );
  }
  const { series, stress, aiter_ablation: aiter } = parsed.data;
  return [
    ...series.map(({ id, model, source, levels, peak }) => ({
      id,
      model,
      source,
      rows: levels.map((one) => rowOf(one, `u${one.nominal_concurrency}`)),
      peak:
        peak === undefined
          ? null
          : { totalTokensPerS: peak.total_tok_s, ci95HalfWidth: peak.ci95_half_width },
    })),
    ...stress.map(({ model, suite, source, tests }) => ({
      id: `${suite}-${model}`,
      model,
      source,
      rows: tests.flatMap((one) =>
        one.total_tok_s == null
          ? []
          : [{ ...rowOf({ ...one, total_tok_s: one.total_tok_s }, slug(one.test)), users: null }],
      ),
      peak: null,
    })),
    ...(aiter === undefined
      ? []
      : (["off", "on"] as const).map((arm) => ({
          id: `aiter-${arm}`,
          model: aiter.model,
          source: aiter.source,
          rows: aiter.levels.map((one) => ({
            users: one.nominal_concurrency,
            name: `u${one.nominal_concurrency}`,
            totalTokensPerS: one[`${arm}_tok_s`],
            outputTokensPerS: null,
            e2eP99Us: null,
            status: null,
          })),
          peak: null,
        }))),
  ];
}

/** The row of a level: by its name, else by its users. */
export function publishedRow(
  series: PublishedSeries,
  level: { readonly name: string; readonly users: number | null },
): PublishedRow | undefined {
  return (
    series.rows.find(({ name }) => name === level.name) ??
    series.rows.find(({ users }) => users !== null && users === level.users)
  );
}

function rowOf(one: z.output<typeof level>, name: string): PublishedRow {
  return {
    users: one.nominal_concurrency,
    name,
    totalTokensPerS: one.total_tok_s,
    outputTokensPerS: one.output_tok_s ?? null,
    e2eP99Us: one.p99_latency_s == null ? null : Math.round(one.p99_latency_s * 1e6),
    status: one.status ?? null,
  };
}

/** `long context 4K` is `long-context-4k`. */
function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}
