import type { ProofFigure, ProofReport } from "@tokenstorm/core";
import { printable } from "./columns.js";
import { formatNumber, formatUs } from "./units.js";

const NAMES: Readonly<Record<ProofFigure["name"], string>> = {
  outputTokensPerS: "output tok/s",
  requestsPerS: "requests/s",
  ttftP50Us: "TTFT p50",
  ttftP99Us: "TTFT p99",
  tpotP50Us: "TPOT p50",
  e2eP50Us: "E2E p50",
  e2eP99Us: "E2E p99",
};

/** What the level gave with twice the agents: the sentence, then each figure with the interval of its difference. */
export function proofTexts({
  sentence,
  figures,
  run,
}: ProofReport): { text: string; isSame: boolean | null }[] {
  const where = run === "" ? "" : ` (run ${printable(run)})`;
  const isAll = figures.length === 0 ? null : figures.every(({ isSame }) => isSame !== false);
  return [
    { text: `${printable(sentence)}${where}`, isSame: isAll },
    ...figures.map((figure) => ({ text: figureText(figure), isSame: figure.isSame })),
  ];
}

function figureText({ name, single, doubled, difference, isSame }: ProofFigure): string {
  const format = name.endsWith("Us") ? formatUs : formatNumber;
  const show = (value: number | null) => (value === null ? "-" : format(value));
  const values = `${NAMES[name]} ${show(single)}, then ${show(doubled)}`;
  if (difference === null) return `${values}: too little was measured for an interval`;
  const signed = (value: number) => `${value > 0 ? "+" : ""}${format(value)}`;
  const differs = isSame === false ? ", DIFFERS" : "";
  return `${values}: ${signed(difference.low)} to ${signed(difference.high)}${differs}`;
}
