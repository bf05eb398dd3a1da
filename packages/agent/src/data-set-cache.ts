import { LoadError } from "@tokenstorm/core";
import { sha256Of } from "@tokenstorm/protocol";
import type { Logger } from "./logger.js";

/** Where an agent gets the files of plans from, by SHA-256. Undefined where one is not there. */
export interface DataSetFetcher {
  get(sha256: string): Promise<Uint8Array | undefined>;
}

/** A folder for data sets that were fetched once; what of it goes wrong is no error: a file is fetched again. */
export interface DataSetFolder {
  /** Undefined where it is not there. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** All at once, so that another process never sees a part. */
  write(name: string, data: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
  /** Files with their sizes, the one that was used longest ago first. */
  list(): Promise<readonly { readonly name: string; readonly bytes: number }[]>;
}

const SUFFIX = ".data";

/**
 * Fetches a data set once for all runs and processes of a host: what was fetched is kept in a folder, within a bound, and
 * checked against its digest each time it is used.
 */
export function cachedDataSets(
  store: DataSetFetcher,
  options: { readonly folder: DataSetFolder; readonly maxBytes: number; readonly logger: Logger },
): DataSetFetcher {
  const { folder, maxBytes, logger } = options;
  const unlessBroken = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      logger.warn(`the cache of data sets: ${what} failed`, { why: messageOf(error) });
      return undefined;
    }
  };
  return {
    get: async (sha256) => {
      const name = `${checkedDigest(sha256)}${SUFFIX}`;
      const kept = await unlessBroken("reading", () => folder.read(name));
      if (kept !== undefined && sha256Of(kept) === sha256) return kept;
      if (kept !== undefined) {
        logger.warn("a file in the cache of data sets is not what it was: it is fetched again", {
          file: name,
        });
        await unlessBroken("removing", () => folder.remove(name));
      }
      const data = await store.get(sha256);
      if (data !== undefined && data.byteLength <= maxBytes) {
        await unlessBroken("writing", () => folder.write(name, data));
        await unlessBroken("clearing", () => makeRoom(folder, maxBytes));
      }
      return data;
    },
  };
}

async function makeRoom(folder: DataSetFolder, maxBytes: number): Promise<void> {
  const files = (await folder.list()).filter(({ name }) => name.endsWith(SUFFIX));
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  for (const file of files) {
    if (bytes <= maxBytes) return;
    await folder.remove(file.name);
    bytes -= file.bytes;
  }
}

/** It becomes the name of a file. */
function checkedDigest(sha256: string): string {
  if (/^[0-9a-f]{64}$/.test(sha256)) return sha256;
  throw new LoadError("DATASET_INVALID", `"${sha256.slice(0, 80)}" is no SHA-256`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
