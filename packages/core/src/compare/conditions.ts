import { resolveStages } from "../load/resolve-stages.js";
import type { TestPlan } from "../plan/schema.js";
import { isSalted, workloadMembers } from "../workload/members.js";
import type { Condition } from "./comparison.js";
import type { RunEvidence } from "./evidence.js";

const STAGE = "plan.load.stage ";

/** In what a run stood, by name: what was asked (`plan....`) and what was found. */
function conditionsOf({ report, plan, serverVersion }: RunEvidence): Map<string, string> {
  const { run, agents } = report;
  const found = new Map<string, string>([
    ["model", run.model ?? "-"],
    ["server version", serverVersion ?? "-"],
    ["tokenstorm version", run.version],
    ["agents", String(agents.length)],
    ["hosts", [...new Set(agents.map(({ host }) => host))].sort().join(", ") || "-"],
    ["reader", run.reader === "" ? "-" : run.reader],
    ["transport", run.transport],
    ["seed", String(run.seed)],
  ]);
  if (plan === null) {
    found.set("plan", "not kept");
    return found;
  }
  const { load, ...rest } = plan;
  const { stages, ...shape } = load.kind === "trace" ? ofTrace(load) : load;
  flatten("plan", { ...rest, load: shape }, found);
  const names = resolveStages(plan).filter((stage) => !(stage.kind === "users" && stage.isWarmUp));
  found.set("plan.load.stages", names.map(({ name }) => name).join(" "));
  // By name: one more at the front would else make all the others differ.
  for (const [i, stage] of stages.entries()) flatten(`${STAGE}${names[i]?.name ?? i}`, stage, found);
  // Said above; a plan's own salt is the run's.
  for (const name of ["plan.seed", "plan.salt", "plan.name"]) found.delete(name);
  return found;
}

/** Its one stage is all of it; how dense it is follows from its file. */
function ofTrace({ density: _, ...load }: Extract<TestPlan["load"], { kind: "trace" }>) {
  return { ...load, stages: [] };
}

/** Leaves of a plan by their path: `plan.load.stages.0.users`. */
function flatten(path: string, value: unknown, into: Map<string, string>): void {
  if (typeof value !== "object" || value === null) {
    if (value !== undefined) into.set(path, String(value));
    return;
  }
  const entries = Object.entries(value);
  if (entries.length === 0) into.set(path, Array.isArray(value) ? "none" : "-");
  for (const [key, one] of entries) flatten(`${path}.${key}`, one, into);
}

/** Conditions in which the sides differ, what was asked first. A side whose own runs differ shows every value. */
export function differingConditions(sides: readonly (readonly RunEvidence[])[]): Condition[] {
  const found = sides.map((runs) => runs.map(conditionsOf));
  const names = [...new Set(found.flat().flatMap((conditions) => [...conditions.keys()]))];
  const hasPlans = sides.every((runs) => runs.every(({ plan }) => plan !== null));
  return names
    .filter((name) => hasPlans || !name.startsWith("plan."))
    .filter((name) => !name.startsWith(STAGE) || everyHas(found, name))
    .map((name) => ({
      name,
      values: found.map((runs) => [...new Set(runs.map((one) => one.get(name) ?? "-"))].join(" | ")),
    }))
    .filter(({ values }) => new Set(values).size > 1 || values.some((value) => value.includes(" | ")))
    .sort((a, b) => Number(b.name.startsWith("plan")) - Number(a.name.startsWith("plan")));
}

/** A stage that some run has not is said once, among the stages. */
function everyHas(sides: readonly (readonly ReadonlyMap<string, string>[])[], name: string): boolean {
  const stage = name.slice(0, name.lastIndexOf("."));
  return sides.every((runs) =>
    runs.every((one) => [...one.keys()].some((key) => key.startsWith(`${stage}.`))),
  );
}

/** What makes a comparison doubtful whatever its figures are. */
export function warningsOf(
  sides: readonly { readonly label: string; readonly runs: readonly RunEvidence[] }[],
): string[] {
  const warnings: string[] = [];
  for (const { label, runs } of sides) {
    for (const { report } of runs) {
      if (report.verdict.status === "invalid") {
        warnings.push(
          `Run ${report.run.id} of ${label} is invalid: its figures describe something else than the server.`,
        );
      }
    }
  }
  const all = sides.flatMap(({ runs }) => runs);
  const ids = all.map(({ report }) => report.run.id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) warnings.push(`Run ${twice} is compared with itself.`);
  const salted = all.filter(
    ({ plan }) => plan === null || workloadMembers(plan).some(({ workload }) => isSalted(workload)),
  );
  const salts = new Map<string, string>();
  for (const { report } of salted) {
    const other = salts.get(report.run.salt);
    if (other !== undefined && other !== report.run.id) {
      warnings.push(
        `Runs ${other} and ${report.run.id} have the same salt, so they sent the same prompts: on one server the later one may have found them in the prefix cache.`,
      );
      break;
    }
    salts.set(report.run.salt, report.run.id);
  }
  const models = new Set(all.map(({ report }) => report.run.model ?? "-"));
  if (models.size > 1) warnings.push("The sides asked different models: their tokens are not the same unit.");
  return warnings;
}
