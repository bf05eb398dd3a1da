import { type ClaimedRow, exact, type Figure, scaled } from "@tokenstorm/core";
import { z } from "zod";
import { type ClaimedResults, ResultsProblem } from "./results-problem.js";
import { schemaProblems } from "./schema-problems.js";

const amount = z.number().nonnegative();
const latency = amount.nullable();

/** The report's stages, as far as the audit uses them. */
const OwnReport = z.looseObject({
  schemaVersion: z.literal(1),
  stages: z.array(
    z.looseObject({
      name: z.string(),
      windowMs: amount,
      inFlight: z.looseObject({ asked: amount.nullable(), mean: amount, maxAtMost: amount }),
      requests: z.looseObject({ offered: amount, completed: amount, failed: amount }),
      rates: z.looseObject({ requestsPerS: amount, outputTokensPerS: amount }),
      latencyUs: z.looseObject({
        e2e: z.looseObject({
          mean: latency,
          min: latency,
          p50: latency,
          p90: latency,
          p95: latency,
          p99: latency,
          max: latency,
          atLeast: z.array(z.string()),
        }),
      }),
    }),
  ),
});
type Stage = z.infer<typeof OwnReport>["stages"][number];

/** True where a JSON object says that it is a report of ours. */
export function looksLikeReport(value: unknown): boolean {
  return z.looseObject({ schemaVersion: z.number(), stages: z.array(z.unknown()) }).safeParse(value).success;
}

/** Each level of our own report, judged by what it measured itself. */
export function claimsFromReport(value: unknown): ClaimedResults {
  const parsed = OwnReport.safeParse(value);
  if (!parsed.success) throw new ResultsProblem(schemaProblems(parsed.error, ""));
  return {
    form: "tokenstorm report JSON",
    rows: parsed.data.stages.map(rowOf),
    mapping:
      "concurrency = inFlight.asked, mean in flight = inFlight.mean, peak = inFlight.maxAtMost, completed and failed = requests, req_s = rates.requestsPerS, latency = latencyUs.e2e, of the measured window",
    unused: [],
  };
}

function rowOf(stage: Stage): ClaimedRow {
  const { e2e } = stage.latencyUs;
  // What censored requests could move is a lower bound, and no figure to build an upper one on.
  const settled = (name: keyof typeof e2e, us: number | null): Figure | undefined =>
    us === null || e2e.atLeast.includes(String(name)) ? undefined : scaled(exact(us), 1e-6);
  const percentiles = ([50, 90, 95, 99] as const).flatMap((percentile) => {
    const value = settled(`p${percentile}`, e2e[`p${percentile}`]);
    return value === undefined ? [] : [{ percentile, value }];
  });
  return {
    label: stage.name,
    isWindow: true,
    concurrency: stage.inFlight.asked ?? undefined,
    requests: stage.requests.offered,
    completed: stage.requests.completed,
    failed: stage.requests.failed,
    requestsPerS: exact(stage.rates.requestsPerS),
    outputTokensPerS: exact(stage.rates.outputTokensPerS),
    durationS: stage.windowMs === 0 ? undefined : exact(stage.windowMs / 1000),
    measuredInFlight: exact(stage.inFlight.mean),
    peakInFlight: stage.inFlight.maxAtMost,
    latencyS: {
      mean: settled("mean", e2e.mean),
      min: settled("min", e2e.min),
      max: settled("max", e2e.max),
      percentiles,
    },
  };
}
