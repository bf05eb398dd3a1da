import type { RunFacts, RunReport, TestPlan } from "@tokenstorm/core";
import { factsWords } from "../facts-words.js";
import { formatCount, formatNumber, formatUs, plural } from "../units.js";
import { loadWords, workloadWords } from "../workload-words.js";
import type { Condition } from "./report-data.js";

/**
 * Under what conditions the numbers hold, each with who says so. What neither target nor plan says (precision, parameters, AITER)
 * is named as not stated: two results that differ in it cannot be compared, and a reader must see the gap.
 */
export function conditionsOf(facts: RunFacts, report: RunReport): Condition[] {
  const { plan } = facts.record;
  return [
    ...targetConditions(facts, plan),
    ...workConditions(plan, report),
    ...outcomeConditions(report),
    ...clientConditions(facts, report),
  ];
}

type Source = Condition["source"];

function line(group: string, name: string, value: string | null | undefined, source: Source): Condition {
  return { group, name, value: value ?? null, source: value == null ? "nobody" : source };
}

function targetConditions(facts: RunFacts, { target }: TestPlan): Condition[] {
  const put = (name: string, value: string | null | undefined, source: Source) =>
    line("target", name, value, source);
  const [first = "", ...others] = target.urls;
  return [
    put("model", facts.model ?? target.model, facts.model === null ? "plan" : "target"),
    put("server version", facts.serverVersion, "target"),
    put("GPUs", target.gpus === undefined ? null : formatCount(target.gpus), "plan"),
    ...factsWords(target.facts).map(([name, value]) => put(name, value, "plan")),
    put("API", target.api, "plan"),
    put("URLs", others.length === 0 ? first : `${first} and ${formatCount(others.length)} more`, "plan"),
  ];
}

function workConditions(plan: TestPlan, report: RunReport): Condition[] {
  const { tokens } = report.totals;
  const put = (name: string, value: string | null | undefined, source: Source = "plan") =>
    line("work", name, value, source);
  const mean = (value: number | null) => (value === null ? null : `${formatNumber(value)} tokens`);
  return [
    put("load", loadWords(plan.load)),
    ...workloadWords(plan).map(([name, value]) => put(name, value)),
    put("prompt length, mean by usage", mean(tokens.promptMean), "measured"),
    put("output length, mean by usage", mean(tokens.outputMean), "measured"),
    put("warm-up", plan.warmUp.requests === 0 ? "none" : plural(plan.warmUp.requests, "request")),
  ];
}

/** What came of it, so that a row of conditions can be put beside another one's. */
function outcomeConditions({ stages }: RunReport): Condition[] {
  const best = stages.toSorted((a, b) => b.rates.outputTokensPerS - a.rates.outputTokensPerS)[0];
  if (best === undefined) return [];
  const { outputTokensPerS, outputTokensPerSPerGpu } = best.rates;
  return [
    line("outcome", "most output tok/s", `${formatNumber(outputTokensPerS)} at ${best.name}`, "measured"),
    line(
      "outcome",
      "the same per GPU",
      outputTokensPerSPerGpu === null ? null : formatNumber(outputTokensPerSPerGpu),
      "measured",
    ),
  ];
}

function clientConditions(facts: RunFacts, report: RunReport): Condition[] {
  const { record } = facts;
  const put = (name: string, value: string | null | undefined, source: Source) =>
    line("client", name, value, source);
  const hosts = new Set(report.agents.map(({ host }) => host)).size;
  return [
    put("agents", `${plural(report.agents.length, "agent")} on ${plural(hosts, "host")}`, "agents"),
    put("transport", facts.transport === "nats" ? "NATS" : "memory, not the distributed path", "agents"),
    put("reader", report.run.reader === "" ? null : report.run.reader, "agents"),
    put("interval", formatUs(record.plan.intervalMs * 1000), "plan"),
    put("grace period", formatUs(record.plan.gracePeriodMs * 1000), "plan"),
    put("seed", String(record.plan.seed), "plan"),
    put("salt", record.salt, "agents"),
    put("plan digest", record.planDigest === "" ? null : record.planDigest, "agents"),
    put("tokenstorm", facts.version, "agents"),
  ];
}
