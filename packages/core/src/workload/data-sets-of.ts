import { LoadError } from "../errors.js";
import { type Density, densityOf } from "../load/density.js";
import type { TestPlan, Workload } from "../plan/schema.js";
import { type DataSetEntry, parseDataSet } from "./data-set.js";
import { parseTrace, type TraceEntry, traceLengthMs } from "./trace.js";

/** What is in a file: prompts of one of the plan's `workloadMembers`, or the requests of its load. */
export type DataSetContent =
  | { readonly kind: "prompts"; readonly member: number; readonly entries: readonly DataSetEntry[] }
  | { readonly kind: "trace"; readonly lengthMs: number; readonly entries: readonly TraceEntry[] };

/** A file that a plan names, and what it says of it. */
export interface DataSetRef {
  readonly file: string;
  /** SHA-256, hex; unknown until the plan is submitted. */
  readonly sha256: string | undefined;
  /** Checks what is in it, line by line; throws DATASET_INVALID. */
  readonly parse: (text: string) => DataSetContent;
}

/** What a file was found to be. */
export interface DataSetFacts {
  readonly sha256: string;
  readonly bytes: number;
  /** Of a trace: the part that the plan asks for. */
  readonly trace?: {
    readonly requests: number;
    readonly lengthMs: number;
    readonly density?: readonly Density[];
  };
}

/** Every file that the plan names, each place for itself. */
export function dataSetsOf(plan: Pick<TestPlan, "workload" | "target" | "load">): readonly DataSetRef[] {
  const isChat = plan.target.api === "openai-chat";
  const { workload, load } = plan;
  const members = workload.kind === "mixture" ? workload.of : [workload];
  const prompts = members.flatMap((one, member): DataSetRef[] => {
    if (one.kind !== "dataset") return [];
    const parse = (text: string): DataSetContent => ({
      kind: "prompts",
      member,
      entries: parseDataSet(text, one, { isChat }),
    });
    return [{ file: one.file, sha256: one.sha256, parse }];
  });
  if (load.kind !== "trace") return prompts;
  const parse = (text: string): DataSetContent => {
    const entries = parseTrace(text, load);
    return { kind: "trace", entries, lengthMs: traceLengthMs(entries, load) };
  };
  return [...prompts, { file: load.file, sha256: load.sha256, parse }];
}

/** Facts of a file from what is in it. */
export function dataSetFacts(content: DataSetContent, file: Omit<DataSetFacts, "trace">): DataSetFacts {
  if (content.kind === "prompts") return file;
  const { entries, lengthMs } = content;
  return { ...file, trace: { requests: entries.length, lengthMs, density: densityOfTrace(entries) } };
}

function densityOfTrace(entries: readonly TraceEntry[]): Density[] {
  return densityOf(entries.map(({ dueUs }) => dueUs));
}

/** The plan with what its files were found to be, by name; files that are not among them stay as they are. */
export function withDataSetFacts(plan: TestPlan, facts: ReadonlyMap<string, DataSetFacts>): TestPlan {
  const { workload } = plan;
  const load = statedLoad(plan.load, facts);
  if (workload.kind !== "mixture") return { ...plan, load, workload: stated(workload, facts) };
  return { ...plan, load, workload: { ...workload, of: workload.of.map((one) => stated(one, facts)) } };
}

type Plain = Exclude<Workload, { kind: "mixture" }>;

function stated<One extends Plain>(workload: One, facts: ReadonlyMap<string, DataSetFacts>): One {
  const found = workload.kind === "dataset" ? facts.get(workload.file) : undefined;
  if (found === undefined) return workload;
  const { sha256, bytes } = found;
  return { ...workload, sha256, bytes };
}

function statedLoad(load: TestPlan["load"], facts: ReadonlyMap<string, DataSetFacts>): TestPlan["load"] {
  const found = load.kind === "trace" ? facts.get(load.file) : undefined;
  if (load.kind !== "trace" || found === undefined) return load;
  const { sha256, bytes, trace } = found;
  if (trace === undefined) return { ...load, sha256, bytes };
  const { density, ...length } = trace;
  return { ...load, sha256, bytes, ...length, ...(density === undefined ? {} : { density: [...density] }) };
}

/** Throws DATASET_INVALID where a trace is not as long as the plan was told when it was submitted: its stage would be wrong. */
export function checkTrace(plan: Pick<TestPlan, "load">, content: DataSetContent): void {
  const { load } = plan;
  if (content.kind !== "trace" || load.kind !== "trace") return;
  if (load.requests === content.entries.length && load.lengthMs === content.lengthMs) {
    checkDensity(load, content.entries);
    return;
  }
  throw new LoadError(
    "DATASET_INVALID",
    `the plan says that ${load.file} comes to ${load.requests ?? "no"} requests in ${load.lengthMs ?? "no"} ms, ` +
      `but it has ${content.entries.length} in ${content.lengthMs} ms`,
    { hint: "requests and lengthMs are filled in at submission: take them out of the plan" },
  );
}

/** What a report says of a trace's times rests on it. */
function checkDensity(
  { file, density }: Extract<TestPlan["load"], { kind: "trace" }>,
  entries: readonly TraceEntry[],
): void {
  if (density === undefined) return;
  const found = densityOfTrace(entries);
  const isSame =
    density.length === found.length &&
    density.every(
      ({ withinUs, requests }, i) => withinUs === found[i]?.withinUs && requests === found[i]?.requests,
    );
  if (isSame) return;
  throw new LoadError("DATASET_INVALID", `the plan says otherwise of how dense the requests of ${file} are`, {
    hint: "density is filled in at submission: take it out of the plan",
  });
}
