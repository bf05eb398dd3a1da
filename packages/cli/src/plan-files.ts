import { open } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import {
  type DataSetFacts,
  dataSetFacts,
  dataSetsOf,
  LoadError,
  PLAN_BOUNDS,
  type RunFlagValues,
  type TestPlan,
  withDataSetFacts,
} from "@tokenstorm/core";
import { type DataSetFiles, dataSetText, sha256Of } from "@tokenstorm/protocol";
import { reasonOf } from "./plan-file.js";

/** A plan that says what its files are, and what is in those that are here. */
export interface PlanWithFiles {
  readonly plan: TestPlan;
  readonly files: DataSetFiles;
}

/**
 * Reads and checks the files that a plan names, relative to its own folder. One that is not here is no error where the plan
 * states its digest: it may be in the store. Throws DATASET_INVALID, naming file, line and field.
 */
export async function readPlanFiles(plan: TestPlan, planPath: string | undefined): Promise<PlanWithFiles> {
  const folder = planPath === undefined || planPath === "-" ? "." : dirname(planPath);
  const facts = new Map<string, DataSetFacts>();
  const files = new Map<string, Uint8Array>();
  for (const ref of dataSetsOf(plan)) {
    const data = await readDataFile(resolve(folder, ref.file), ref);
    if (data === undefined) continue;
    const sha256 = sha256Of(data);
    if (ref.sha256 !== undefined && ref.sha256 !== sha256)
      throw new LoadError(
        "DATASET_INVALID",
        `${ref.file} is not the file that the plan states: its SHA-256 is ${sha256}, the plan says ${ref.sha256}`,
        { hint: "take sha256 and bytes out of the plan to use the file as it is now" },
      );
    const content = ref.parse(dataSetText(ref.file, data));
    const found = dataSetFacts(content, { sha256, bytes: data.byteLength });
    facts.set(ref.file, { ...facts.get(ref.file), ...found });
    files.set(sha256, data);
  }
  return { plan: withDataSetFacts(plan, facts), files };
}

/** Files named on the command line, as a plan in its own folder would name them. */
export function flagsFromPlanFolder<Flags extends RunFlagValues>(
  flags: Flags,
  planPath: string | undefined,
): Flags {
  if (planPath === undefined || planPath === "-") return flags;
  const fromFolder = (file: unknown) =>
    typeof file === "string" ? relative(dirname(planPath), file) : undefined;
  return { ...flags, dataset: fromFolder(flags.dataset), trace: fromFolder(flags.trace) };
}

/** Undefined where it is not here and the plan knows its digest. */
async function readDataFile(
  path: string,
  { file, sha256 }: { readonly file: string; readonly sha256: string | undefined },
): Promise<Uint8Array | undefined> {
  try {
    const handle = await open(path, "r");
    try {
      const { size } = await handle.stat();
      const most = PLAN_BOUNDS.dataSetBytes.max;
      if (size > most)
        throw new LoadError("DATASET_INVALID", `${file} has ${size} bytes, more than ${most}`, {
          hint: "split it, or send a part of it",
        });
      if (size === 0) throw new LoadError("DATASET_INVALID", `${file} is empty`);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof LoadError) throw cause;
    if (sha256 !== undefined && cause instanceof Error && "code" in cause && cause.code === "ENOENT")
      return undefined;
    throw new LoadError("DATASET_INVALID", `${file} cannot be read: ${reasonOf(cause)}`, {
      hint: "a plan's files are named relative to its own folder",
      cause,
    });
  }
}
