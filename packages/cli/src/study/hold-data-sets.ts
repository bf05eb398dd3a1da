import assert from "node:assert/strict";
import { join } from "node:path";
import { dataSetsOf, LoadError, type StudyStep, type TestPlan } from "@tokenstorm/core";
import { type PlanWithFiles, readPlanFiles } from "../plan-files.js";
import type { StudyDirectory } from "./study-directory.js";

/** Files of a study's plans are named relative to the study's folder. Throws DATASET_INVALID. */
export function readRunFiles(plan: TestPlan, folder: string): Promise<PlanWithFiles> {
  return readPlanFiles(plan, join(folder, "study"));
}

/**
 * Plans of these steps that name files, with what the files are now. A file that is missing or broken is found before a
 * server is switched and loaded for hours. Throws DATASET_INVALID.
 */
export async function readStudyFiles(
  steps: readonly StudyStep[],
  folder: string,
): Promise<readonly TestPlan[]> {
  const plans = new Map<string, TestPlan>();
  for (const step of steps) {
    if (step.kind !== "run" && step.kind !== "warm-up") continue;
    const { plan } = step.run;
    // All that says which files are read, and how.
    const reads = JSON.stringify([plan.target.api, plan.workload, plan.load]);
    if (plans.has(reads) || dataSetsOf(plan).length === 0) continue;
    // What is in them is not kept: they may be many.
    plans.set(reads, (await readRunFiles(plan, folder)).plan);
  }
  return [...plans.values()];
}

/**
 * Runs of one study send the same files: what they are is fixed when the first run is done. Until then a file may still be
 * corrected. Of a plan whose files have been read. Throws DATASET_INVALID.
 */
export async function holdDataSets(directory: StudyDirectory, plan: TestPlan): Promise<void> {
  for (const { file, sha256 } of dataSetsOf(plan)) {
    assert(sha256 !== undefined, `${file} was not read`);
    const known = directory.dataSets().get(file);
    if (known === sha256) continue;
    if (known !== undefined && directory.done().size > 0)
      throw new LoadError(
        "DATASET_INVALID",
        `${file} was edited since this study began: what follows and what is done would not be one study`,
        { hint: "bring it back and go on with --resume, or begin anew with --restart" },
      );
    await directory.append({ kind: "data-set", file, sha256 });
  }
}
