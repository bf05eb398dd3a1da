import { dataSetsOf, LoadError, type TestPlan } from "@tokenstorm/core";
import type { StudyDirectory } from "./study-directory.js";

/**
 * Runs of one study send the same files: the first that sends one fixes what it is. Of a plan whose files have been read.
 * Throws DATASET_INVALID.
 */
export async function holdDataSets(directory: StudyDirectory, plan: TestPlan): Promise<void> {
  for (const { file, sha256 } of dataSetsOf(plan)) {
    if (sha256 === undefined) continue;
    const known = directory.dataSets().get(file);
    if (known === undefined) await directory.append({ kind: "data-set", file, sha256 });
    else if (known !== sha256)
      throw new LoadError(
        "DATASET_INVALID",
        `${file} was edited since this study first sent it: what follows and what is done would not be one study`,
        { hint: "bring it back and go on with --resume, or begin anew with --restart" },
      );
  }
}
