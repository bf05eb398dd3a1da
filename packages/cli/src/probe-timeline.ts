import type { ProbeResult } from "@tokenstorm/agent";
import { formatNumber, formatUs, paint, plural, printable, truncate, wrap } from "@tokenstorm/report";

const LABEL = 12;
const WIDEST_BAR = 60;

const STEPS = [
  ["connected", "connected"],
  ["sent", "sent"],
  ["headers", "headers"],
  ["firstEvent", "first event"],
  ["firstToken", "first token"],
  ["lastToken", "last token"],
  ["end", "end"],
] as const;

/** One request as a timeline: when each step came, and how long it took from the one before. */
export function renderProbe(
  probe: ProbeResult,
  options: { readonly width: number; readonly colour: boolean },
): string {
  const colours = paint(options.colour);
  const { width } = options;
  const at = probe.address === null ? "" : ` (${printable(probe.address)})`;
  const server = probe.serverVersion === null ? "" : `, server ${printable(probe.serverVersion)}`;
  const lines = [
    ...wrap(`${printable(probe.url)}${at}, ${probe.api}, model ${printable(probe.model)}${server}`, {
      width,
    }),
    "",
  ];
  const { timelineUs } = probe;
  const room = Math.min(WIDEST_BAR, width - LABEL - 24);
  let before = 0;
  for (const [name, label] of STEPS) {
    const us = timelineUs[name];
    if (us === null) {
      lines.push(colours.dim(`${label.padEnd(LABEL)}${"-".padStart(9)}`));
      continue;
    }
    const column = Math.round((us / Math.max(1, timelineUs.end)) * (room - 1));
    const from = Math.round((before / Math.max(1, timelineUs.end)) * (room - 1));
    const bar = `${" ".repeat(from)}${"─".repeat(column - from)}●`;
    const step = `+${formatUs(us - before)}`;
    lines.push(
      `${label.padEnd(LABEL)}${formatUs(us).padStart(9)} ${colours.dim(step.padStart(10))}  ${colours.cyan(bar)}`,
    );
    before = us;
  }
  lines.push("", ...outcomeLines(probe, width).map(probe.problem === null ? (line) => line : colours.red));
  return lines.map((line) => truncate(line, width)).join("\n");
}

function outcomeLines(probe: ProbeResult, width: number): string[] {
  const status = probe.status === null ? "no answer" : `HTTP ${probe.status} ${printable(probe.contentType)}`;
  if (probe.problem !== null) {
    const kind = probe.outcome.kind === "failed" ? `failed (${probe.outcome.reason})` : probe.outcome.kind;
    return wrap(`${kind}: ${printable(probe.problem)}; ${status}`, { width });
  }
  const prompt = probe.usage === null ? "an unknown number of" : String(probe.usage.prompt);
  const cached =
    probe.usage !== null && probe.usage.cachedPrompt > 0 ? `, ${probe.usage.cachedPrompt} cached` : "";
  const { firstToken, lastToken } = probe.timelineUs;
  const spanUs = firstToken === null || lastToken === null ? 0 : lastToken - firstToken;
  const tpot = probe.tokens > 1 && spanUs > 0 ? [`TPOT ${formatUs(spanUs / (probe.tokens - 1))}`] : [];
  const rate =
    spanUs > 0 ? [`${formatNumber(((probe.tokens - 1) * 1e6) / spanUs)} tok/s while decoding`] : [];
  const facts = [
    status,
    `${prompt} prompt tokens (${probe.asked.promptTokens} asked${cached})`,
    `${plural(probe.tokens, "token")} in ${plural(probe.events, "event")}, by ${probe.tokenSource}`,
    `finish reason ${printable(probe.finishReason ?? "none")}`,
    ...(firstToken === null ? [] : [`TTFT ${formatUs(firstToken - (probe.timelineUs.sent ?? 0))}`]),
    ...tpot,
    ...rate,
  ];
  const text = printable(probe.text);
  return [
    ...wrap(facts.join(", "), { width }),
    ...(text === "" ? [] : wrap(`"${text}"`, { width, indent: 1 })),
  ];
}
