import {
  parsePublished,
  type RunReport,
  requireStudy,
  runsOf,
  type StudyInput,
  type StudyReport,
  scheduleStudy,
  summariseStudy,
} from "@tokenstorm/core";
import { goodReport } from "./screen-samples.js";

const target = { urls: ["http://127.0.0.1:8000"] };
const stages = [1, 100, 500, 1000].map((users) => ({ users, durationMs: "1m" }));

const file: StudyInput = {
  version: 1,
  name: "sample",
  repeats: 3,
  notes: ["A sample for the screens: nothing in it was measured."],
  publishedRows: { file: "rows.json", sha256: "0123456789abcdef".repeat(4) },
  conditions: [
    {
      name: "off",
      target,
      facts: {
        model: "M",
        paramsTotalB: 405,
        paramsActiveB: 405,
        precision: "FP8",
        gpu: "G",
        gpus: 8,
        aiter: "off",
      },
    },
    {
      name: "on",
      target,
      facts: {
        model: "M",
        paramsTotalB: 405,
        paramsActiveB: 405,
        precision: "FP8",
        gpu: "G",
        gpus: 8,
        aiter: "on",
      },
      confounders: ["another day"],
      simulated: { profile: "m", calibratedBy: ["rows"] },
    },
  ],
  suites: [
    {
      name: "levels",
      phase: "ab",
      order: "interleaved",
      timeScale: 2,
      pairs: [{ a: "off", b: "on" }],
      published: { on: "rows" },
      plan: { load: { kind: "users", stages } },
    },
    { name: "later", phase: "stress", plan: { load: { kind: "users", stages } } },
  ],
};

const published = parsePublished({
  schema: "study-published-results/1",
  series: [
    {
      id: "rows",
      model: "m",
      source: "a sample",
      levels: [
        { nominal_concurrency: 100, total_tok_s: 4000, p99_latency_s: 11.1, status: "OK" },
        { nominal_concurrency: 500, total_tok_s: 9000, p99_latency_s: 15 },
      ],
    },
  ],
});

/** Two conditions and three repeats, of which one is missing; every repeat a little off the last. */
export const studySample: StudyReport = sample();

function sample(): StudyReport {
  const study = requireStudy(file);
  const runs = runsOf(scheduleStudy(study, { mode: "default" }));
  const results = runs
    .filter(({ suite, condition, repeat }) => suite === "levels" && !(condition === "on" && repeat === 3))
    .map(({ key, condition, repeat }) => ({
      key,
      run: `r${repeat}${condition}`,
      directory: `runs/2026-03-14-levels-${condition}-r${repeat}`,
      report: scaled(goodReport, (condition === "on" ? 1.04 : 1) * (1 + repeat / 500)),
    }));
  return summariseStudy({
    study,
    runs,
    results,
    published,
    mode: "default",
    digest: "d",
    startedAt: "2026-03-14T09:26:53.000Z",
    version: "0.1.0",
  });
}

function scaled(report: RunReport, times: number): RunReport {
  return {
    ...report,
    stages: report.stages.map((stage) => ({
      ...stage,
      rates: {
        ...stage.rates,
        promptTokensPerS: stage.rates.promptTokensPerS * times,
        outputTokensPerS: stage.rates.outputTokensPerS * times,
      },
    })),
  };
}
