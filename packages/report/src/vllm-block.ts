import type { DefinedValue, DefinitionsReport } from "@tokenstorm/core";
import { printable, wrap } from "./columns.js";

const WIDTH = 50;
/** Columns of the label, and of the figure. */
const LABEL = 41;
const FIGURE = 10;
/** Columns of what is said beside the block. */
const COMMENT = 100;

type Line =
  | { readonly kind: "figure"; readonly label: string; readonly name: string; readonly isWhole?: boolean }
  /** Only where the figure is known: it belongs to an option that was not given. */
  | { readonly kind: "option"; readonly label: string; readonly name: string; readonly isWhole?: boolean }
  | { readonly kind: "section"; readonly title: string };

const latency = (title: string, label: string, name: string): Line[] => [
  { kind: "section", title },
  ...(["Mean", "Median", "P99"] as const).map(
    (stat): Line => ({
      kind: "figure",
      label: `${stat} ${label} (ms):`,
      name: `${stat.toLowerCase()}_${name}_ms`,
    }),
  ),
];

/** Labels and order of the block that `vllm bench serve` prints, as in vLLM 0.11 and later; read from its source. */
const LINES: readonly Line[] = [
  { kind: "figure", label: "Successful requests:", name: "completed", isWhole: true },
  { kind: "figure", label: "Failed requests:", name: "failed", isWhole: true },
  { kind: "option", label: "Maximum request concurrency:", name: "max_concurrency", isWhole: true },
  { kind: "option", label: "Request rate configured (RPS):", name: "request_rate" },
  { kind: "figure", label: "Benchmark duration (s):", name: "duration" },
  { kind: "figure", label: "Total input tokens:", name: "total_input_tokens", isWhole: true },
  { kind: "figure", label: "Total generated tokens:", name: "total_output_tokens", isWhole: true },
  { kind: "figure", label: "Request throughput (req/s):", name: "request_throughput" },
  { kind: "option", label: "Request goodput (req/s):", name: "request_goodput" },
  { kind: "figure", label: "Output token throughput (tok/s):", name: "output_throughput" },
  { kind: "figure", label: "Peak output token throughput (tok/s):", name: "max_output_tokens_per_s" },
  { kind: "figure", label: "Peak concurrent requests:", name: "max_concurrent_requests" },
  { kind: "figure", label: "Total token throughput (tok/s):", name: "total_token_throughput" },
  ...latency("Time to First Token", "TTFT", "ttft"),
  ...latency("Time per Output Token (excl. 1st token)", "TPOT", "tpot"),
  ...latency("Inter-token Latency", "ITL", "itl"),
  ...latency("End-to-end Latency", "E2EL", "e2el"),
];

/**
 * The block that `vllm bench serve` prints, one for each level, with our figures in its definitions. Where two bounds are known both are
 * printed, `63.00 to 64.00`; where nothing can be said, `n/a`, and below each block why. No final newline.
 */
export function renderVllm(report: DefinitionsReport): string {
  const levels = report.levels.map((level) => blockOf(level, report));
  const basis = report.basis.flatMap(comment);
  return [...basis, ...(levels.length === 0 ? ["# No level was reached."] : levels.flat())].join("\n");
}

function blockOf({ name, values }: DefinitionsReport["levels"][number], report: DefinitionsReport): string[] {
  const reasons = new Map<string, string[]>();
  const lines = LINES.flatMap((line): string[] => {
    if (line.kind === "section") return [centred(line.title, "-")];
    const value = values[line.name];
    if (line.kind === "option" && (value === undefined || value.kind === "unknown")) return [];
    const why = value === undefined ? whyNot(line.name, report) : value.kind === "unknown" ? value.why : null;
    if (why !== null) reasons.set(why, [...(reasons.get(why) ?? []), line.label.replace(/:$/, "")]);
    return [`${line.label.padEnd(LABEL)}${textOf(value, line.isWhole === true).padEnd(FIGURE)}`.trimEnd()];
  });
  return [
    "",
    `# level ${printable(name)} of run ${printable(report.run)}`,
    centred(" Serving Benchmark Result ", "="),
    ...lines,
    "=".repeat(WIDTH),
    ...[...reasons].flatMap(([why, labels]) => comment(`n/a: ${labels.join(", ")}: ${why}`)),
  ];
}

const comment = (text: string): string[] =>
  wrap(printable(text), { width: COMMENT - 2, indent: 2 }).map((line) => `# ${line}`);

function whyNot(name: string, { notRecomputed }: DefinitionsReport): string {
  return notRecomputed.find((one) => one.name.split(", ").includes(name))?.why ?? "it is not recomputed";
}

function textOf(value: DefinedValue | undefined, isWhole: boolean): string {
  const text = (of: number) => of.toFixed(isWhole ? 0 : 2);
  switch (value?.kind) {
    case undefined:
    case "unknown":
      return "n/a";
    case "word":
      return printable(value.word);
    case "value":
      return text(value.value);
    case "between": {
      const [low, high] = [text(value.atLeast), text(value.atMost)];
      return low === high ? low : `${low} to ${high}`;
    }
  }
}

/** In the middle of the line; what is left over of an odd rest stands on the right. */
function centred(text: string, fill: string): string {
  const before = Math.floor((WIDTH - text.length) / 2);
  return (fill.repeat(before) + text).padEnd(WIDTH, fill);
}
