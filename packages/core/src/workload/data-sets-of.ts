import type { TestPlan, Workload } from "../plan/schema.js";
import { type DataSetEntry, type DataSetSource, parseDataSet } from "./data-set.js";

/** A file that a plan names, and what it says of it. */
export interface DataSetRef {
  /** Which of the plan's `workloadMembers` it belongs to. */
  readonly member: number;
  readonly file: string;
  /** SHA-256, hex; unknown until the plan is submitted. */
  readonly sha256: string | undefined;
  readonly bytes: number | undefined;
  /** Checks what is in it, line by line; throws DATASET_INVALID. */
  readonly parse: (text: string) => readonly DataSetEntry[];
}

/** What a file was found to be. */
export interface DataSetFacts {
  readonly sha256: string;
  readonly bytes: number;
}

/** Every file that the plan's workload names, each place for itself. */
export function dataSetsOf(plan: Pick<TestPlan, "workload" | "target">): readonly DataSetRef[] {
  const isChat = plan.target.api === "openai-chat";
  const { workload } = plan;
  const members = workload.kind === "mixture" ? workload.of : [workload];
  return members.flatMap((one, member) => {
    if (one.kind !== "dataset") return [];
    const source: DataSetSource = one;
    const parse = (text: string) => parseDataSet(text, source, { isChat });
    return [{ member, file: one.file, sha256: one.sha256, bytes: one.bytes, parse }];
  });
}

/** The plan with what its files were found to be, by name; files that are not among them stay as they are. */
export function withDataSetFacts(plan: TestPlan, facts: ReadonlyMap<string, DataSetFacts>): TestPlan {
  const { workload } = plan;
  if (workload.kind !== "mixture") return { ...plan, workload: stated(workload, facts) };
  return { ...plan, workload: { ...workload, of: workload.of.map((one) => stated(one, facts)) } };
}

type Plain = Exclude<Workload, { kind: "mixture" }>;

function stated<One extends Plain>(workload: One, facts: ReadonlyMap<string, DataSetFacts>): One {
  const found = workload.kind === "dataset" ? facts.get(workload.file) : undefined;
  return found === undefined ? workload : { ...workload, ...found };
}
