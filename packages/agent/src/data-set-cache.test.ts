import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256Of } from "@tokenstorm/protocol";
import { cachedDataSets, type DataSetFolder } from "./data-set-cache.js";

const bytes = (text: string) => new TextEncoder().encode(text);

function open(options: { readonly maxBytes?: number; readonly folder?: Partial<DataSetFolder> } = {}) {
  const files = new Map<string, Uint8Array>();
  const fetched: string[] = [];
  const stored = new Map<string, Uint8Array>();
  const warnings: string[] = [];
  const folder: DataSetFolder = {
    read: async (name) => {
      const data = files.get(name);
      if (data !== undefined) {
        files.delete(name);
        files.set(name, data);
      }
      return data;
    },
    write: async (name, data) => {
      files.set(name, data);
    },
    remove: async (name) => {
      files.delete(name);
    },
    list: async () => [...files].map(([name, data]) => ({ name, bytes: data.byteLength })),
    ...options.folder,
  };
  const cache = cachedDataSets(
    {
      get: async (sha256) => {
        fetched.push(sha256);
        return stored.get(sha256);
      },
    },
    {
      folder,
      maxBytes: options.maxBytes ?? 1000,
      logger: { info: () => undefined, warn: (text) => warnings.push(text), error: () => undefined },
    },
  );
  const store = (text: string) => {
    const data = bytes(text);
    stored.set(sha256Of(data), data);
    return sha256Of(data);
  };
  return { cache, store, files, fetched, warnings };
}

test("a data set is fetched once, and read from the folder from then on", async () => {
  const { cache, store, fetched } = open();
  const name = store("one");
  for (let i = 0; i < 3; i += 1) assert.deepEqual(await cache.get(name), bytes("one"));
  assert.deepEqual(fetched, [name]);
});

test("a file that was changed in the folder is not used, and fetched again", async () => {
  const { cache, store, files, fetched, warnings } = open();
  const name = store("one");
  await cache.get(name);
  for (const file of files.keys()) files.set(file, bytes("two"));
  assert.deepEqual(await cache.get(name), bytes("one"));
  assert.deepEqual(await cache.get(name), bytes("one"));
  assert.equal(fetched.length, 2);
  assert.match(warnings.join(), /not what it was/);
});

test("the folder keeps what was used last, within its bound, and other files alone", async () => {
  const { cache, store, files, fetched } = open({ maxBytes: 25 });
  files.set("notes.txt", bytes("x".repeat(100)));
  const [a, b, c] = ["a".repeat(10), "b".repeat(10), "c".repeat(10)].map(store);
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  for (const name of [a, b, a, c]) await cache.get(name);
  assert.deepEqual(new Set(files.keys()), new Set(["notes.txt", `${a}.data`, `${c}.data`]));
  await cache.get(b);
  assert.deepEqual(fetched, [a, b, c, b]);
});

test("one that is larger than the bound is used, and not kept", async () => {
  const { cache, store, files } = open({ maxBytes: 5 });
  assert.deepEqual(await cache.get(store("too large")), bytes("too large"));
  assert.equal(files.size, 0);
});

test("a folder that cannot be used costs a warning, and no data set", async () => {
  const broken = async () => Promise.reject(new Error("read-only file system"));
  const { cache, store, warnings } = open({ folder: { read: broken, write: broken } });
  assert.deepEqual(await cache.get(store("one")), bytes("one"));
  assert.equal(warnings.length, 2);
});

test("what is no digest never becomes the name of a file", async () => {
  const { cache } = open();
  await assert.rejects(cache.get("../../etc/passwd"), { code: "DATASET_INVALID" });
  assert.equal(await cache.get("0".repeat(64)), undefined);
});
