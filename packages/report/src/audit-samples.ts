import {
  type AuditReport,
  auditResults,
  type ClaimedRow,
  exact,
  type Figure,
  printedFigure,
} from "@tokenstorm/core";
import type { AuditSource } from "./audit-text.js";

/** An audit for the stored screens; every number is made up. */

const p = (text: string): Figure => printedFigure(text) ?? exact(Number.NaN);

const row = (label: string, change: Partial<ClaimedRow>): ClaimedRow => ({
  label,
  latencyS: { percentiles: [] },
  ...change,
});

export const auditSample: AuditReport = auditResults([
  row("c=50", {
    concurrency: 50,
    requests: 1000,
    successShare: exact(1),
    requestsPerS: p("25.0"),
    latencyS: { mean: p("2.00"), percentiles: [] },
  }),
  row("c=100", {
    concurrency: 100,
    requests: 1000,
    completed: 990,
    requestsPerS: p("25.3"),
    latencyS: { mean: p("3.20"), percentiles: [{ percentile: 99, value: p("4.10") }] },
  }),
  row("c=500, the level that a slide shows", {
    concurrency: 500,
    requests: 100,
    requestsPerS: p("24.9"),
    latencyS: { mean: p("3.90"), percentiles: [] },
  }),
  row("c=1000", {
    concurrency: 1000,
    requests: 4000,
    requestsPerS: p("912"),
    latencyS: {
      percentiles: [
        { percentile: 50, value: p("0.01133") },
        { percentile: 99, value: p("0.02308") },
      ],
    },
  }),
  row("c=20", {
    concurrency: 20,
    requests: 2000,
    requestsPerS: p("25.0"),
    latencyS: { mean: p("1.90"), percentiles: [{ percentile: 50, value: p("1.80") }] },
  }),
  ...[10, 11, 12, 13, 14, 15, 16, 17].map((users) => row(`c=${users}`, { concurrency: users })),
]);

export const auditSource: AuditSource = {
  name: "results.csv",
  form: "table separated by commas",
  mapping: 'concurrency = "users", requests = "n", req_s = "req/s", mean = "mean_latency_s" (s)',
  unused: ["model", "TTFT (ms)"],
};

export const consistentAudit: AuditReport = auditResults([
  row("c=50", {
    concurrency: 50,
    requests: 1000,
    requestsPerS: p("25.0"),
    latencyS: { mean: p("2.00"), percentiles: [] },
  }),
]);
