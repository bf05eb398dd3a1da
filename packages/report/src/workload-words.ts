import type { Length, PlainWorkload, TestPlan } from "@tokenstorm/core";
import { printable } from "./columns.js";
import { formatCount, formatNumber, formatShare, formatUs, plural } from "./units.js";

/** What a plan sends, in words: name and value of each condition. */
export function workloadWords({
  workload,
}: Pick<TestPlan, "workload">): readonly (readonly [string, string])[] {
  if (workload.kind !== "mixture") return plainWords(workload);
  const weights = workload.of.reduce((sum, { weight }) => sum + weight, 0);
  return workload.of.flatMap((member, i) => {
    const name = printable(member.name ?? `${member.kind}-${i + 1}`);
    const words = plainWords(member).map(([key, value]) => `${key} ${value}`);
    return [
      [
        `workload ${name}`,
        `${formatShare(member.weight / weights)} of requests: ${words.join("; ")}`,
      ] as const,
    ];
  });
}

function plainWords(workload: PlainWorkload): (readonly [string, string])[] {
  return [
    ...promptWords(workload),
    ...(workload.kind === "trace"
      ? []
      : [["output length asked", lengthText(workload.outputTokens)] as const]),
    ["end of output", workload.ignoreEos ? "fixed length (ignore_eos)" : "the model stops by itself"],
    ...("prompts" in workload ? [["prompts", workload.prompts] as const] : []),
    ...("images" in workload && workload.images !== undefined
      ? [["images", imagesText(workload.images)] as const]
      : []),
    ["temperature", workload.temperature === undefined ? "not sent" : formatNumber(workload.temperature)],
  ];
}

function promptWords(workload: PlainWorkload): (readonly [string, string])[] {
  switch (workload.kind) {
    case "synthetic-text":
      return [["prompt length asked", lengthText(workload.inputTokens)]];
    case "dataset":
      return [["prompts of", fileText(workload)]];
    case "conversation":
      return [
        ["conversations", `${rangeText(workload.turns)} turns`],
        ["message length asked", lengthText(workload.inputTokens)],
        ...(workload.systemTokens === undefined
          ? []
          : [["system message", `${formatCount(workload.systemTokens)} tokens`] as const]),
      ];
    case "trace":
      return [["lengths", `of the trace, blocks of ${formatCount(workload.blockTokens)} tokens`]];
  }
}

/** What a plan's load is, in words. */
export function loadWords(load: TestPlan["load"]): string {
  switch (load.kind) {
    case "users": {
      const users = load.stages.map((stage) => formatCount(stage.users)).join(", ");
      const thinks = load.thinkMs > 0 ? `, thinking ${formatUs(load.thinkMs * 1000)}` : "";
      return `closed: ${users} users${thinks}`;
    }
    case "arrival-rate": {
      const rates = load.stages.map(({ fromRps, toRps }) =>
        toRps === undefined || toRps === fromRps
          ? formatNumber(fromRps)
          : `${formatNumber(fromRps)} to ${formatNumber(toRps)}`,
      );
      return `open: ${rates.join(", ")} requests/s, ${load.spacing}`;
    }
    case "trace": {
      const speed = load.speed === 1 ? "" : `, ${formatNumber(load.speed)} times as fast`;
      const length = load.lengthMs === undefined ? "" : ` within ${formatUs(load.lengthMs * 1000)}`;
      return `open: ${plural(load.requests ?? 0, "request")} of the trace ${fileText(load)}${length}${speed}`;
    }
  }
}

function fileText({ file, sha256 }: { readonly file: string; readonly sha256?: string | undefined }): string {
  return `${printable(file)}${sha256 === undefined ? "" : ` (SHA-256 ${sha256.slice(0, 12)})`}`;
}

function imagesText({
  count,
  size,
  content,
}: NonNullable<Extract<PlainWorkload, { kind: "dataset" }>["images"]>): string {
  const sizes = typeof size === "string" ? size : size.map((one) => one.size).join(", ");
  return `${rangeText(count)} of ${sizes} in each request, ${content}`;
}

function rangeText(count: number | { readonly min: number; readonly max: number }): string {
  return typeof count === "number"
    ? formatCount(count)
    : `${formatCount(count.min)} to ${formatCount(count.max)}`;
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
