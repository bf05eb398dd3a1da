import { Objm } from "@nats-io/obj";
import { LoadError } from "@tokenstorm/core";
import type { BlobStore } from "../blob-store.js";
import { toLoadError, within } from "./errors.js";
import type { JetStreamLink } from "./stores.js";

/** Limit of one blob, there or back: at 1 MB/s, 60 MB. */
const TRANSFER_LIMIT_MS = 60_000;
const GET_ATTEMPTS = 3;

export interface NatsBlobs extends BlobStore {
  /** Since it was put; undefined where it is not there. */
  ageMs(name: string): Promise<number | undefined>;
}

/** An object store, in chunks of 128 KiB. */
export async function createNatsBlobs(link: JetStreamLink, bucket: string): Promise<NatsBlobs> {
  const store = await new Objm(link.js).open(bucket, false);
  const transfer = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await within(work(), TRANSFER_LIMIT_MS, what);
    } catch (error) {
      throw toLoadError(error, what);
    }
  };
  return {
    put: async (name, data) => {
      await transfer(`storing ${name}`, () => store.putBlob({ name }, data));
    },
    get: async (name) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return (await transfer(`fetching ${name}`, () => store.getBlob(name))) ?? undefined;
        } catch (error) {
          // A cluster that has lost a server may give the reading to just that one, and to another the next time.
          const mayHelp = error instanceof LoadError && error.code === "BUS_UNAVAILABLE";
          if (!mayHelp || attempt === GET_ATTEMPTS) throw error;
        }
      }
    },
    ageMs: async (name) => {
      const info = await transfer(`looking for ${name}`, () => store.info(name));
      if (info === null || info.deleted) return undefined;
      return Math.max(0, Date.now() - Date.parse(info.mtime));
    },
    delete: async (name) => {
      await transfer(`deleting ${name}`, () => store.delete(name));
    },
  };
}
