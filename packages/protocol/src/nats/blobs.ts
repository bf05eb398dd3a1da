import { type ObjectResult, type ObjectStore, Objm } from "@nats-io/obj";
import { LoadError } from "@tokenstorm/core";
import type { BlobStore } from "../blob-store.js";
import { isOverForGood, toLoadError, within } from "./errors.js";
import type { JetStreamLink } from "./stores.js";
import { SYSTEM_TIME, type Time } from "./time.js";

/** Limit of one blob, there or back: at 1 MB/s, 60 MB. */
const TRANSFER_LIMIT_MS = 60_000;
/** A reading that brings nothing for so long is given up: a cluster may have given it to a server that it has lost. */
const QUIET_MS = 15_000;
/** Servers that have lost their leader may say at once that they cannot answer, and take some seconds to agree on one. */
const READ_AGAIN_MS = 500;

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
    get: (name) => readBlob(store, name),
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

/** What a reading takes of a bucket. */
type Readable = Pick<ObjectStore, "get">;

/** Undefined where it is not there. A reading that was not answered is repeated, as long as the limit of a transfer allows. */
export async function readBlob(
  store: Readable,
  name: string,
  time: Time = SYSTEM_TIME,
): Promise<Uint8Array | undefined> {
  const untilMs = time.nowMs() + TRANSFER_LIMIT_MS;
  for (;;) {
    try {
      return await readAll(store, { name, leftMs: () => untilMs - time.nowMs() });
    } catch (reason) {
      const error = toLoadError(reason, `fetching ${name}`);
      const mayHelp = error.code === "BUS_UNAVAILABLE" && !isCorrupt(reason) && !isOverForGood(reason);
      if (!mayHelp || time.nowMs() + READ_AGAIN_MS >= untilMs) throw error;
      await time.wait(READ_AGAIN_MS);
    }
  }
}

/** What is stored is not what its digest says, or has none that can be read: it will be the same next time. */
function isCorrupt(reason: unknown): boolean {
  const isOurs = reason instanceof LoadError;
  return reason instanceof Error && !isOurs && /\bdigests?\b/.test(reason.message);
}

/** Undefined where it is not there. Whoever gives up reads no further: the rest would take room from the next reading. */
async function readAll(
  store: Readable,
  { name, leftMs }: { readonly name: string; leftMs(): number },
): Promise<Uint8Array | undefined> {
  const soon = <T>(step: Promise<T>): Promise<T> =>
    within(step, Math.ceil(Math.max(1, Math.min(QUIET_MS, leftMs()))), `fetching ${name}`);
  const getting = store.get(name);
  const found = await soon(getting).catch((error: unknown) => {
    void getting.then(abandon, () => undefined);
    throw error;
  });
  if (found === null) return undefined;
  // Reading shows it as well.
  found.error.catch(() => undefined);
  const reader = found.data.getReader();
  const pieces: Uint8Array[] = [];
  try {
    for (;;) {
      const { done, value } = await soon(reader.read());
      if (value !== undefined) pieces.push(value);
      if (done) break;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  const { buffer, byteOffset, byteLength } = Buffer.concat(pieces);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** It came too late. */
function abandon(found: ObjectResult | null): void {
  found?.error.catch(() => undefined);
  found?.data.cancel().catch(() => undefined);
}
