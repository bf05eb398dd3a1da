import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A test's context, or `{ after }` of a whole file. */
interface Owner {
  after(clean: () => Promise<void>): void;
}

/** A folder that is gone when the test ends. */
export async function tempDir(t: Owner): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
