import {
  checkTrace,
  type DataSetEntry,
  type DataSetRef,
  dataSetsOf,
  LoadError,
  type TestPlan,
  type WorkloadOptions,
} from "@tokenstorm/core";
import { dataSetText } from "@tokenstorm/protocol";
import type { DataSetFetcher } from "../data-set-cache.js";

/** What is in the plan's files, as a workload takes it. */
export type PlanData = Pick<WorkloadOptions, "dataSets" | "trace">;

/** Fetches and checks what is in the plan's files. Throws DATASET_INVALID, naming the file. */
export async function loadDataSets(plan: TestPlan, from: DataSetFetcher): Promise<PlanData> {
  const dataSets = new Map<number, readonly DataSetEntry[]>();
  let trace: PlanData["trace"];
  for (const ref of dataSetsOf(plan)) {
    const content = ref.parse(await textOf(ref, from));
    checkTrace(plan, content);
    if (content.kind === "trace") trace = content.entries;
    else dataSets.set(content.member, content.entries);
  }
  return { dataSets, trace };
}

async function textOf({ file, sha256 }: DataSetRef, from: DataSetFetcher): Promise<string> {
  if (sha256 === undefined)
    throw new LoadError(
      "DATASET_INVALID",
      `the plan names ${file} without its digest, so that no agent can ask for it`,
      { hint: "submit it by tokenstorm run or submit, which read the file" },
    );
  const data = await from.get(sha256);
  if (data === undefined)
    throw new LoadError(
      "DATASET_INVALID",
      `${file} (${sha256.slice(0, 12)}) is not in the store of data sets`,
      {
        hint: "submit the plan once more from where the file is",
      },
    );
  return dataSetText(file, data);
}
