// How long the studies of plans/study take, by suite and mode: tables for docs/study.md, from the same arithmetic that
// `tokenstorm study --dry-run` prints. Used by scripts/generate-docs.mjs.
import { join } from "node:path";
import { loadStudy } from "../packages/cli/dist/study/study-file.js";
import { STUDY_MODES, scheduleStudy, studyCost } from "../packages/core/dist/index.js";

const FILES = ["compatible", "corrected", "kv-offload-ab", "fp8-kv-ab", "compatible-simulated"];

/** A table for each study, as Markdown. */
export async function studyHours(folder) {
  const parts = [];
  for (const name of FILES) parts.push(await tableOf(join(folder, `${name}.yaml`), name));
  return parts.join("\n\n");
}

async function tableOf(path, name) {
  const loaded = await loadStudy(path);
  const costs = STUDY_MODES.map((mode) =>
    studyCost(scheduleStudy(loaded.study, { mode }), { ...loaded, mode }),
  );
  const suites = loaded.study.file.suites.map((suite) => suite.name);
  const cell = (cost, suite) => {
    const found = cost.bySuite.find((one) => one.suite === suite);
    return found === undefined ? "- | -" : `${found.runs} | ${hours(found.cost.aboutMs)}`;
  };
  const rows = suites.map((suite) => `| ${suite} | ${costs.map((cost) => cell(cost, suite)).join(" | ")} |`);
  const total = costs.map(({ total: all }) => ` | **${hours(all.aboutMs)}**`).join(" | ");
  return [
    `| \`${name}\` | runs | quick h | runs | default h | runs | thorough h |`,
    "|---|---|---|---|---|---|---|",
    ...rows,
    `| *with switching and warm-up* | ${total} |`.replaceAll("|  |", "| |"),
  ].join("\n");
}

function hours(ms) {
  const value = ms / 3_600_000;
  return value < 1 ? value.toFixed(2) : value.toFixed(1);
}
