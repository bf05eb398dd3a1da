import { randomUUID } from "node:crypto";
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DataSetFolder } from "@tokenstorm/agent";
import { makeFolder } from "./run-directory.js";

/** Another folder than the usual one, for the data sets that agents of this host have fetched. */
export const DATA_CACHE_ENV = "TOKENSTORM_DATA_CACHE";

/** In the folder for temporary files, each user's own. Every process of a host shares it. */
export function dataSetFolder(env: Readonly<Record<string, string | undefined>>): DataSetFolder {
  const folder = env[DATA_CACHE_ENV] ?? join(tmpdir(), `tokenstorm-data-${process.getuid?.() ?? 0}`);
  return {
    read: async (name) => {
      const file = join(folder, name);
      try {
        const data = await readFile(file);
        // So that the one that was used longest ago goes first.
        const now = new Date();
        await utimes(file, now, now);
        return data;
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    },
    write: async (name, data) => {
      await makeFolder(folder, 0o700);
      const part = join(folder, `${name}.${randomUUID()}.part`);
      try {
        await writeFile(part, data, { mode: 0o600 });
        await rename(part, join(folder, name));
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    },
    remove: (name) => rm(join(folder, name), { force: true }),
    list: async () => {
      const names = await readdir(folder);
      const files = await Promise.all(
        names.map(async (name) => {
          const { size, mtimeMs } = await stat(join(folder, name));
          return { name, bytes: size, mtimeMs };
        }),
      );
      return files.sort((a, b) => a.mtimeMs - b.mtimeMs);
    },
  };
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
