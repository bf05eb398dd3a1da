import type { RunReport } from "@tokenstorm/core";

/** How a run ended that did not complete; empty for one that did. */
export function endText({ run: { state, problem } }: Pick<RunReport, "run">): string {
  if (state === "completed") return "";
  if (state === "failed") return "The run failed before its end.";
  return problem?.threshold === undefined
    ? "The run was stopped before its end."
    : "The run was ended by a threshold.";
}
