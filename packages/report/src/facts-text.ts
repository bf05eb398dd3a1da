import type { RunReport, ServerCheck, StageReport } from "@tokenstorm/core";
import { printable } from "./columns.js";
import { skewText } from "./stimulus-text.js";
import { formatCount, formatNumber, formatShare, formatUs, plural } from "./units.js";

const LATENCY =
  /^(ttft|firstEvent|firstContent|headers|connect|gap|itl|tpot|e2e|response|failedE2e|failedService|scheduleLag)\b/;

/** Latencies are observed in us, shares as such, everything else as a number. */
export function observedText(threshold: RunReport["thresholds"][number]): string {
  const { observed, metric } = threshold;
  if (observed === null) return "nothing was observed";
  if (LATENCY.test(metric)) {
    return `observed ${formatUs(observed)}`;
  }
  if (/^(success|goodput)\b/.test(metric) && observed <= 1) return `observed ${formatShare(observed)}`;
  return `observed ${formatNumber(observed)}`;
}

/** What became of all requests. */
export function requestsText(report: RunReport): string {
  const counts = report.totals.requests;
  const rest = [
    ["failed", counts.failed],
    ["cancelled", counts.cancelled],
    ["dropped", counts.dropped],
    ["unknown", counts.unknown],
    ["cut unfinished", counts.censored],
    ["sent again on a fresh socket", counts.staleRetries],
  ] as const;
  const others = rest
    .filter(([name, count]) => name === "failed" || count > 0)
    .map(([name, count]) => `${formatCount(count)} ${name}`);
  return `${formatCount(counts.offered)} offered, ${formatCount(counts.completed)} completed, ${others.join(", ")}`;
}

/** Failures and drops by reason, each with its level. */
export function troubleTexts(stages: RunReport["stages"]): (readonly [string, string])[] {
  const text = (countsOf: (stage: StageReport) => Readonly<Record<string, number>>) =>
    stages
      .flatMap((stage) => {
        const counts = Object.entries(countsOf(stage)).filter(([, count]) => count > 0);
        const reasons = counts
          .sort((a, b) => b[1] - a[1])
          .map(([name, n]) => `${printable(name)} ${formatCount(n)}`);
        return reasons.length === 0 ? [] : [`${printable(stage.name)}: ${reasons.join(", ")}`];
      })
      .join("; ");
  const found = [
    ["failures", text((stage) => stage.failures)],
    ["dropped", text((stage) => stage.drops)],
  ] as const;
  return found.filter(([, what]) => what !== "");
}

/** Tokens asked, measured and by whose count. */
export function tokensText(report: RunReport): string {
  const { tokens } = report.totals;
  const mean = (measured: number | null, asked: number | null) =>
    measured === null
      ? ""
      : ` (${formatNumber(measured)} each${asked === null ? "" : `, ${formatNumber(asked)} asked`})`;
  const cached = tokens.cachedPrompt > 0 ? `, ${formatCount(tokens.cachedPrompt)} of them cached` : "";
  return [
    `${formatCount(tokens.prompt)} prompt${mean(tokens.promptMean, tokens.askedPromptMean)}${cached}`,
    `${formatCount(tokens.output)} output${mean(tokens.outputMean, tokens.askedOutputMean)}`,
    tokens.source === "none" ? "not counted by anyone" : `counted by ${printable(tokens.source)}`,
  ].join(", ");
}

/** What the target's own counters say beside ours. */
export function serverText(report: RunReport): string {
  const { server, tokens, requests } = report.totals;
  if (server.output === null) return "no /metrics was read at the target: nothing stands beside our counts";
  const pairs = [
    ["output tokens", server.output, tokens.output],
    ["prompt tokens", server.prompt, tokens.prompt],
    ["successes", server.successes, requests.completed],
  ] as const;
  const said = pairs.flatMap(([name, theirs, ours]) => {
    if (theirs === null) return [];
    const difference = theirs - ours;
    const sign = difference > 0 ? "+" : "-";
    const apart = difference === 0 ? "" : ` (${sign}${formatCount(Math.abs(difference))} to ours)`;
    return [`${formatCount(theirs)} ${name}${apart}`];
  });
  const unexplained = (server.checks ?? []).filter(({ agrees }) => agrees === false);
  const explained = (server.checks ?? []).filter(
    ({ agrees, server, client }) => agrees === true && server !== client,
  );
  const isSame = pairs.every(([, theirs, ours]) => theirs === null || theirs === ours);
  const hits = server.prefixHitTokens ?? 0;
  return [
    `its counters say ${said.join(", ")}`,
    ...(isSame ? ["the same as ours"] : []),
    ...explained.map((check) => `explained: ${toleranceText(check)}`),
    ...unexplained.map((check) => `NOT EXPLAINED: ${toleranceText(check)}`),
    ...(hits > 0 ? [`${formatCount(hits)} prompt tokens from its prefix cache`] : []),
    ...(server.exact ? [] : ["not exact: the target was not at rest before or after the run"]),
  ].join("; ");
}

function toleranceText({ of, tolerance, because }: ServerCheck): string {
  const name = { output: "output tokens", prompt: "prompt tokens", successes: "successes" }[of];
  return `${name}, of which it may have up to ${formatCount(tolerance ?? 0)} more (${printable(because)})`;
}

/** The target's own mean times beside ours; nothing where it has none. */
export function serverTimesText({ totals }: RunReport): string | undefined {
  const { latencies = [] } = totals.server;
  if (latencies.length === 0) return undefined;
  const said = latencies.map(({ of, serverMeanUs, serverCount, clientMeanUs, clientCount, differenceUs }) => {
    const sign = differenceUs < 0 ? "-" : "+";
    const isSameCount = serverCount === clientCount;
    const counts = isSameCount
      ? ""
      : ` (of ${formatCount(serverCount)} and ${formatCount(clientCount)} requests)`;
    const means = `${formatUs(serverMeanUs)} there, ${formatUs(clientMeanUs)} here`;
    return `${of.toUpperCase()} ${means} (${sign}${formatUs(Math.abs(differenceUs))})${counts}`;
  });
  return `by its own clock, means over the run: ${said.join("; ")}`;
}

/** Whether every interval and sample that was recorded is in the result. */
export function completenessText(report: RunReport): { text: string; isWhole: boolean } {
  const { completeness } = report;
  const isWhole =
    completeness.missing.length === 0 &&
    completeness.intervalsReceived === completeness.intervalsExpected &&
    completeness.samplesMerged === completeness.samplesRecorded;
  const counts =
    `${formatCount(completeness.intervalsReceived)} of ${formatCount(completeness.intervalsExpected)} intervals, ` +
    `${formatCount(completeness.samplesMerged)} of ${formatCount(completeness.samplesRecorded)} latency samples`;
  const missing = completeness.missing.map(({ agent, from, to }) =>
    from === to ? `${printable(agent)} ${from}` : `${printable(agent)} ${from}-${to}`,
  );
  const named =
    missing.slice(0, 10).join(", ") + (missing.length > 10 ? `, and ${missing.length - 10} more` : "");
  return { text: missing.length === 0 ? counts : `${counts}; missing: ${named}`, isWhole };
}

type Agent = RunReport["agents"][number];

/** The agents in one line, and the worst of them by name where any was not green. */
export function agentsTexts(report: RunReport): { text: string; colour: "green" | "yellow" | "red" }[] {
  const { agents } = report;
  if (agents.length === 0) return [{ text: "none took part", colour: "red" }];
  const sum = (read: (agent: Agent) => number) => agents.reduce((total, agent) => total + read(agent), 0);
  const red = sum((agent) => agent.redIntervals);
  const yellow = sum((agent) => agent.yellowIntervals);
  const measured = sum((agent) => agent.measuredIntervals);
  const starts = agents.flatMap((agent) =>
    agent.startErrorUs === null ? [] : [Math.abs(agent.startErrorUs)],
  );
  const skew = skewText(report);
  const parts = [
    `${plural(agents.length, "agent")} on ${plural(new Set(agents.map((agent) => agent.host)).size, "host")}`,
    measured === 0
      ? "no measured interval"
      : red + yellow === 0
        ? `all green in ${plural(measured, "measured interval")}`
        : `${formatCount(red)} red and ${formatCount(yellow)} yellow of ${plural(measured, "measured interval")}`,
    `clock error at most ${formatUs(Math.max(...agents.map((agent) => agent.clockErrorUs)))}`,
    ...(starts.length === 0 ? [] : [`start error at most ${formatUs(Math.max(...starts))}`]),
    ...(skew === null ? [] : [skew]),
  ];
  const colour = red > 0 ? "red" : yellow > 0 || measured === 0 ? "yellow" : "green";
  const lines: { text: string; colour: "green" | "yellow" | "red" }[] = [{ text: parts.join(", "), colour }];
  const worst = [...agents].sort(
    (a, b) => b.redIntervals - a.redIntervals || b.yellowIntervals - a.yellowIntervals,
  )[0];
  if (worst !== undefined && agents.length > 1 && worst.redIntervals + worst.yellowIntervals > 0) {
    const text =
      `worst: ${printable(worst.id)} on ${printable(worst.host)}, ${formatCount(worst.redIntervals)} red and ` +
      `${formatCount(worst.yellowIntervals)} yellow of ${formatCount(worst.measuredIntervals)}`;
    lines.push({ text, colour });
  }
  const builtLate = sum((agent) => agent.builtLate ?? 0);
  if (builtLate > 0) {
    const text =
      `${plural(builtLate, "request")} had to be built when they were due, for want of time or room before: ` +
      "that time is in their schedule lag";
    lines.push({ text, colour: "yellow" });
  }
  return lines;
}
