import { MULTI_RUN_FITS, profiles } from "@tokenstorm/simulator";
import { runClosedLoop } from "./closed-loop.js";
import { type Compared, compared, shapeOf } from "./compatible.js";
import type { Published } from "./data.js";

/** A published row beside what step times say that were fitted to the multi-run rows alone. */
export interface ForetoldRow {
  readonly series: string;
  readonly level: number;
  readonly basis: "calibrated" | "predicted";
  readonly totalTokensPerS: Compared;
  readonly p99S: Compared;
}

/**
 * All rows of the two models that have scaling and saturation tables, by the fit to the multi-run rows. Computed by the
 * engine and a client of no cost: that the real client measures the same is what the compatible study shows.
 */
export function foretell({ series }: Published): ForetoldRow[] {
  return series.flatMap((one) => {
    const { model } = one;
    if (model !== "llama-3.1-405b" && model !== "qwen3-vl-235b") return [];
    const { decodeStepMs, provenance } = MULTI_RUN_FITS[model];
    const basis = provenance.calibratedBy.includes(one.id) ? "calibrated" : "predicted";
    return one.levels.map((row): ForetoldRow => {
      const ours = runClosedLoop({
        decodeStepMs,
        prefillTokensPerS: profiles[model].prefillTokensPerS,
        isIdentical: true,
        ...shapeOf(one, row.nominal_concurrency),
      });
      return {
        series: one.id,
        level: row.nominal_concurrency,
        basis,
        totalTokensPerS: compared(ours.totalTokensPerS, row.total_tok_s),
        p99S: compared(ours.p99S, row.p99_latency_s),
      };
    });
  });
}
