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
            },
            {
              name: "pictures",
              share: 0.2,
              ...{ offered: 881, completed: 880, failed: 1 },
              ...{ askedPromptMean: 256, promptMean: 2308.1, cachedPromptMean: 0 },
              ...{ askedOutputMean: 200, outputMean: 200, imagesMean: 2, imageTokensEach: 1026 },
            },
            {
              name: "questions",
              share: 0.2,
              ...{ offered: 868, completed: 868, failed: 0 },
              ...{ askedPromptMean: null, promptMean: 71.2, cachedPromptMean: 16 },
              ...{ askedOutputMean: 300, outputMean: 211.7, imagesMean: 0, imageTokensEach: null },
            },
          ],
        },
  ),
};
