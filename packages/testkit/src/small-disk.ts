import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of a few pages, which a test can fill up. */
export interface SmallDisk {
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives it back. */
  makeRoom(): void;
}

interface Context {
  after(clean: () => Promise<void> | void): void;
  skip(why: string): void;
}

/**
 * Mounts a tmpfs of so many bytes, which ends with the test. Undefined, and the test skipped with a reason that nobody
 * overlooks, where this user may not mount.
 */
export function smallDiskOrSkip(t: Context, bytes: number): SmallDisk | undefined {
  const path = mkdtempSync(join(tmpdir(), "tokenstorm-disk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0777`, "tmpfs", path]);
  if (mounted.status !== 0) {
    const why = mounted.error?.message ?? mounted.stderr.toString().trim();
    rmSync(path, { recursive: true });
    t.skip(`NO SMALL DISK HERE, mounting a tmpfs needs root: ${why}`);
    return undefined;
  }
  t.after(() => {
    spawnSync("umount", ["-l", path]);
    rmSync(path, { recursive: true, force: true });
  });
  const ballast = join(path, "ballast");
  return {
    path,
    fill: () => {
      writeFileSync(ballast, "");
      for (let piece = bytes; piece >= 1; piece = Math.floor(piece / 2)) {
        while (isWritten(ballast, piece));
      }
    },
    makeRoom: () => rmSync(ballast),
  };
}

function isWritten(file: string, bytes: number): boolean {
  try {
    appendFileSync(file, Buffer.alloc(bytes));
    return true;
  } catch {
    // A part of it may have been taken all the same.
    return false;
  }
}
