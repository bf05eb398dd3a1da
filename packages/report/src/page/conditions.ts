import type { Length, RunFacts, RunReport, TestPlan } from "@tokenstorm/core";
import { formatCount, formatNumber, formatUs, plural } from "../units.js";
import type { Condition } from "./report-data.js";

/**
 * Under what conditions the numbers hold, each with who says so. What a run does not know (precision, parameters, AITER) is
 * named as not stated: two results that differ in it cannot be compared, and a reader must see the gap.
 */
export function conditionsOf(facts: RunFacts, report: RunReport): Condition[] {
  const { plan } = facts.record;
  return [
    ...targetConditions(facts, plan),
    ...workConditions(plan, report),
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
    put("total and active parameters", null, "nobody"),
    put("precision", null, "nobody"),
    put("AITER", null, "nobody"),
    put("API", target.api, "plan"),
    put("URLs", others.length === 0 ? first : `${first} and ${formatCount(others.length)} more`, "plan"),
  ];
}

function workConditions(plan: TestPlan, report: RunReport): Condition[] {
  const { workload, load } = plan;
  const { tokens } = report.totals;
  const put = (name: string, value: string | null | undefined, source: Source = "plan") =>
    line("work", name, value, source);
  const mean = (value: number | null) => (value === null ? null : `${formatNumber(value)} tokens`);
  return [
    put("load", loadText(load)),
    put("prompt length asked", lengthText(workload.inputTokens)),
    put("prompt length, mean by usage", mean(tokens.promptMean), "measured"),
    put("output length asked", lengthText(workload.outputTokens)),
    put("output length, mean by usage", mean(tokens.outputMean), "measured"),
    put("end of output", workload.ignoreEos ? "fixed length (ignore_eos)" : "the model stops by itself"),
    put("prompts", workload.prompts),
    put("temperature", workload.temperature === undefined ? "not sent" : formatNumber(workload.temperature)),
    put("warm-up", plan.warmUp.requests === 0 ? "none" : plural(plan.warmUp.requests, "request")),
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

function loadText(load: TestPlan["load"]): string {
  if (load.kind === "users") {
    const users = load.stages.map((stage) => formatCount(stage.users)).join(", ");
    const thinks = load.thinkMs > 0 ? `, thinking ${formatUs(load.thinkMs * 1000)}` : "";
    return `closed: ${users} users${thinks}`;
  }
  const rates = load.stages.map(({ fromRps, toRps }) =>
    toRps === undefined || toRps === fromRps
      ? formatNumber(fromRps)
      : `${formatNumber(fromRps)} to ${formatNumber(toRps)}`,
  );
  return `open: ${rates.join(", ")} requests/s, ${load.spacing}`;
}

function lengthText(length: Length): string {
  if (typeof length === "number") return `${formatCount(length)} tokens`;
  switch (length.kind) {
    case "fixed":
      return `${formatCount(length.tokens)} tokens`;
    case "uniform":
      return `${formatCount(length.min)} to ${formatCount(length.max)} tokens, uniform`;
    case "normal":
      return `normal, mean ${formatNumber(length.mean)}, standard deviation ${formatNumber(length.sd)} tokens`;
    case "lognormal":
      return `log-normal, median ${formatNumber(length.median)} tokens, sigma ${formatNumber(length.sigma)}`;
  }
}
