import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** Facts of the reference study: plans/study/data/README.md says where they come from. */
export const DATA_FOLDER = fileURLToPath(new URL("../../../plans/study/data", import.meta.url));

const Row = z.object({
  nominal_concurrency: z.int(),
  total_tok_s: z.number(),
  p99_latency_s: z.number(),
  output_tok_s: z.number().optional(),
  status: z.string().optional(),
  inferred_max_in_flight: z.int(),
});

const Series = z.object({
  id: z.string(),
  model: z.enum(["llama-3.1-405b", "deepseek-v3.2", "qwen3-vl-235b", "kimi-k2.5"]),
  suite: z.enum(["multi-run", "stress-testing", "validation-testing"]),
  mode: z.string().nullable(),
  workload: z.object({
    kind: z.string(),
    inferred_prompt_tokens: z.int(),
    inferred_output_tokens: z.int().optional(),
    nominal_output_tokens: z.int().optional(),
    requests_per_level: z.int().optional(),
    inferred_request_cap_per_level: z.int().optional(),
    inferred_requests_per_level: z.union([z.int(), z.string()]).optional(),
  }),
  levels: z.array(Row),
});

const Published = z.object({
  schema: z.literal("study-published-results/1"),
  headline: z.object({
    requests_total: z.int(),
    peaks: z.array(z.object({ model: z.string(), workload: z.string(), total_tok_s: z.number() })),
  }),
  series: z.array(Series),
  aiter_ablation: z.object({
    levels: z.array(
      z.object({
        nominal_concurrency: z.int(),
        off_tok_s: z.number(),
        on_tok_s: z.number(),
        diff_pct: z.number(),
        inferred_max_in_flight: z.int(),
      }),
    ),
  }),
});

const Calibration = z.object({
  schema: z.literal("study-simulator-calibration/1"),
  models: z.record(
    z.string(),
    z.object({
      decode_step_ms: z.record(z.string(), z.number()),
      prefill_tok_s: z.object({ value: z.number() }),
      fit: z.object({ rows: z.int(), max_error_pct: z.number() }),
      aiter_on_factor: z.record(z.string(), z.number()).optional(),
      noise_cov_pct: z.record(z.string(), z.number()),
      output_length_profile: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

export type PublishedRow = z.output<typeof Row>;
export type PublishedSeries = z.output<typeof Series>;
export type Published = z.output<typeof Published>;
export type Calibration = z.output<typeof Calibration>;

export const readPublished = (): Published => Published.parse(json("published-results.json"));
export const readCalibration = (): Calibration => Calibration.parse(json("simulator-calibration.json"));

function json(file: string): unknown {
  return JSON.parse(readFileSync(join(DATA_FOLDER, file), "utf8"));
}
