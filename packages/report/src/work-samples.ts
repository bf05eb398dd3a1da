import type { RunReport } from "@tokenstorm/core";
import { goodReport } from "./screen-samples.js";

/** The good run, as if its last level had drawn from three workloads: of a made-up server, like all screens. */
export const mixtureReport: RunReport = {
  ...goodReport,
  stages: goodReport.stages.map((stage, i) =>
    i < goodReport.stages.length - 1
      ? stage
      : {
          ...stage,
          work: [
            {
              name: "chat",
              share: 0.6,
              ...{ offered: 2652, completed: 2652, failed: 0 },
              ...{ askedPromptMean: 512, promptMean: 512.4, cachedPromptMean: 0 },
              ...{ askedOutputMean: 128, outputMean: 128, imagesMean: 0, imageTokensEach: null },
              latencyUs: {
                ttft: { count: 2652, p50: 180_000, p99: 402_000 },
                e2e: { count: 2652, p50: 2_410_000, p99: 2_890_000 },
              },
            },
            {
              name: "pictures",
              share: 0.2,
              ...{ offered: 881, completed: 880, failed: 1 },
              ...{ askedPromptMean: 256, promptMean: 2308.1, cachedPromptMean: 0 },
              ...{ askedOutputMean: 200, outputMean: 200, imagesMean: 2, imageTokensEach: 1026 },
              latencyUs: {
                ttft: { count: 880, p50: 611_000, p99: 1_204_000 },
                e2e: { count: 880, p50: 4_150_000, p99: 5_020_000 },
              },
            },
            {
              name: "questions",
              share: 0.2,
              ...{ offered: 868, completed: 868, failed: 0 },
              ...{ askedPromptMean: null, promptMean: 71.2, cachedPromptMean: 16 },
              ...{ askedOutputMean: 300, outputMean: 211.7, imagesMean: 0, imageTokensEach: null },
              latencyUs: {
                ttft: { count: 868, p50: 95_000, p99: 240_000 },
                e2e: { count: 868, p50: 3_980_000, p99: 6_110_000 },
              },
            },
          ],
        },
  ),
};
