import type { RunData } from "@tokenstorm/report/page";
import { endText, formatUs, plural } from "@tokenstorm/report/page";
import { h } from "../dom.js";

const SIGNS = { valid: "✓", degraded: "!", invalid: "✕" } as const;

/** What the run is worth, and who was its limit: nothing stands above it. */
export function verdict({ report, limit }: RunData): HTMLElement {
  const { status, reasons, thresholds } = report.verdict;
  const { problem } = report.run;
  const end = endText(report);
  const said = [...reasons];
  if (problem !== null && !reasons.some((reason) => reason.includes(problem.message)))
    said.push(problem.message);
  return h(
    "section",
    { class: `verdict ${status}`, id: "verdict", "aria-labelledby": "verdict-title" },
    h(
      "h2",
      { id: "verdict-title" },
      h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[status]),
      status.toUpperCase(),
    ),
    h(
      "div",
      {},
      h("p", { class: "limit" }, limit === "" ? "Who was the limit is not known." : limit),
      h(
        "p",
        {},
        [
          ...(end === "" ? [] : [end]),
          thresholds === "none" ? "No thresholds were set." : `Thresholds ${thresholds}.`,
        ].join(" "),
      ),
      said.length === 0
        ? null
        : h(
            "ul",
            { class: "reasons" },
            said.map((reason) => h("li", {}, reason)),
          ),
    ),
  );
}

/** Which run this is. */
export function runLine({ report }: RunData): HTMLElement {
  const { run } = report;
  const parts = [
    `run ${run.id}`,
    run.startedAt === null ? "never started" : run.startedAt.replace(/\.\d+Z$/, "Z"),
    formatUs(run.durationMs * 1000),
    run.transport === "nats"
      ? `${plural(report.agents.length, "agent")} over NATS`
      : "one agent in the same process over memory, which is not the distributed path",
    ...(run.model === null ? [] : [`model ${run.model}`]),
    `seed ${run.seed}, salt ${run.salt}`,
    `tokenstorm ${run.version}`,
  ];
  return h("p", { class: "run-line" }, parts.join(" · "));
}
