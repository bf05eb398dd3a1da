import { type KV, Kvm } from "@nats-io/kv";
import { checkKey, type StateStore } from "../state-store.js";
import { isApiError, isStreamGone, JS_CODES, toLoadError } from "./errors.js";
import type { JetStreamLink } from "./stores.js";

/** The KV bucket. */
export async function createNatsState(
  link: JetStreamLink,
  /** Makes the bucket anew where it is gone; only a coordinator may. */
  repair: (() => Promise<void>) | undefined,
): Promise<StateStore> {
  const bucket = await new Kvm(link.js).open(link.names.state, { allow_direct: false });
  const stream = `KV_${link.names.state}`;
  const root = `$KV.${link.names.state}.`;
  const inBucket = async <T>(question: () => Promise<T>): Promise<T> => {
    try {
      return await question();
    } catch (error) {
      if (repair === undefined || !isStreamGone(error)) throw error;
      await repair();
      return question();
    }
  };
  return {
    get: async (key) => {
      checkKey(key);
      try {
        const entry = await inBucket(() => bucket.get(key));
        if (entry === null || entry.operation !== "PUT") return undefined;
        return { key, value: entry.value, revision: entry.revision };
      } catch (error) {
        throw toLoadError(error, `reading ${key}`);
      }
    },
    compareAndSet: async (key, value, expected) => {
      checkKey(key);
      try {
        return await inBucket(() => write(bucket, key, value, expected));
      } catch (error) {
        if (isApiError(error, JS_CODES.wrongLastSequence, JS_CODES.wrongLastSequenceUnknown))
          return undefined;
        throw toLoadError(error, `writing ${key}`);
      }
    },
    keys: async (prefix) => {
      // One question for the subjects in the stream: no consumer to make, to lose in a restart and to clean up.
      const filter = `${root}${prefix.slice(0, prefix.lastIndexOf(".") + 1)}>`;
      try {
        const info = await inBucket(() => link.manager.streams.info(stream, { subjects_filter: filter }));
        return Object.keys(info.state.subjects ?? {})
          .map((subject) => subject.slice(root.length))
          .filter((key) => key.startsWith(prefix));
      } catch (error) {
        throw toLoadError(error, `listing ${prefix}`);
      }
    },
    delete: async (key) => {
      checkKey(key);
      try {
        // Takes the key out of the stream; the library's own delete would leave a mark that `keys` could not tell.
        await link.manager.streams.purge(stream, { filter: `${root}${key}` });
      } catch (error) {
        throw toLoadError(error, `deleting ${key}`);
      }
    },
  };
}

function write(bucket: KV, key: string, value: Uint8Array, expected: number | undefined): Promise<number> {
  return expected === undefined ? bucket.create(key, value) : bucket.update(key, value, expected);
}
