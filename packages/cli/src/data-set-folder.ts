import { randomUUID } from "node:crypto";
import { lstat, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DataSetFolder } from "@tokenstorm/agent";
import { makeFolder } from "./run-directory.js";

/** Another folder than the usual one, for the data sets that agents of this host have fetched. */
export const DATA_CACHE_ENV = "TOKENSTORM_DATA_CACHE";

/** In the folder for temporary files, each user's own. Every process of a host shares it. */
export function dataSetFolder(env: Readonly<Record<string, string | undefined>>): DataSetFolder {
  const named = env[DATA_CACHE_ENV];
  const uid = process.getuid?.() ?? 0;
  const folder = named ?? join(tmpdir(), `tokenstorm-data-${uid}`);
  const check = async () => {
    if (named === undefined) await checkOwner(folder, uid);
  };
  return {
    read: async (name) => {
      const file = join(folder, name);
      try {
        await check();
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
      await check();
      const part = join(folder, `${name}.${randomUUID()}.part`);
      try {
        await writeFile(part, data, { mode: 0o600 });
        await rename(part, join(folder, name));
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    },
    remove: async (name) => {
      await check();
      await rm(join(folder, name), { force: true });
    },
    list: async () => {
      await check();
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

/** Anybody may make a folder of this name there, to read what is put into it, or have it lead elsewhere. */
async function checkOwner(folder: string, uid: number): Promise<void> {
  const stats = await lstat(folder);
  const isOwn = stats.isDirectory() && stats.uid === uid && (stats.mode & 0o022) === 0;
  if (!isOwn) throw new Error(`${folder} is not a folder that this user alone may write to`);
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
