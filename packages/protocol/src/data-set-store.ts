import { createHash } from "node:crypto";
import { dataSetsOf, LoadError, type TestPlan } from "@tokenstorm/core";
import type { BlobStore } from "./blob-store.js";

/** Files of plans by their SHA-256, hex. */
export interface DataSetStore {
  /** Puts it, unless it is there; one that would be forgotten before long is put anew. */
  put(sha256: string, data: Uint8Array): Promise<void>;
  has(sha256: string): Promise<boolean>;
  /** Undefined where it is not there. Throws DATASET_INVALID where it is not what its name says. */
  get(sha256: string): Promise<Uint8Array | undefined>;
}

/** What is older is put anew: the store forgets data sets after 14 days. */
const FRESH_MS = 7 * 86_400_000;

export function storeOfDataSets(
  blobs: BlobStore & { ageMs(name: string): Promise<number | undefined> },
): DataSetStore {
  return {
    put: async (sha256, data) => {
      const ageMs = await blobs.ageMs(sha256);
      if (ageMs === undefined || ageMs > FRESH_MS) await blobs.put(sha256, data);
    },
    has: async (sha256) => (await blobs.ageMs(sha256)) !== undefined,
    get: async (sha256) => {
      const data = await blobs.get(sha256);
      if (data === undefined || sha256Of(data) === sha256) return data;
      throw new LoadError(
        "DATASET_INVALID",
        `the data set ${sha256.slice(0, 12)} in the store is not what it was`,
        {
          hint: "submit the plan once more from where its file is",
        },
      );
    },
  };
}

/** What is in a plan's file. Throws DATASET_INVALID for what is no UTF-8. */
export function dataSetText(file: string, data: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch (cause) {
    throw new LoadError("DATASET_INVALID", `${file} is no text in UTF-8`, { cause });
  }
}

/** SHA-256 of bytes, hex. */
export function sha256Of(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** What is in files, by SHA-256 (hex). */
export type DataSetFiles = ReadonlyMap<string, Uint8Array>;

export const NO_FILES: DataSetFiles = new Map();

/** Puts every file of the plan where its agents find it. Throws DATASET_INVALID for one that is neither at hand nor there. */
export async function putDataSets(store: DataSetStore, plan: TestPlan, files: DataSetFiles): Promise<void> {
  const done = new Set<string>();
  for (const { file, sha256 } of dataSetsOf(plan)) {
    if (sha256 === undefined)
      throw new LoadError("DATASET_INVALID", `the plan names ${file}, which was not handed in with it`, {
        hint: "tokenstorm run and submit read the files of a plan",
      });
    if (done.has(sha256)) continue;
    done.add(sha256);
    const data = files.get(sha256);
    if (data !== undefined) await store.put(sha256, data);
    else if (!(await store.has(sha256)))
      throw new LoadError(
        "DATASET_INVALID",
        `${file} (${sha256.slice(0, 12)}) is neither here nor in the store of data sets`,
        {
          hint: "run this where the file is",
        },
      );
  }
}
