// Deals compiled test files into batches, each a process of its own: to start one costs as much as many a file's tests do.
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

/** So few that a batch does not become the last one that everything waits for. */
const FILES_PER_BATCH = 12;

/**
 * One file for each batch, which imports the batch's tests; tests of one process run one after the other. `groups` are
 * lists of files that belong together (a package's), and no batch is of two of them. Returns the batches' own files.
 */
export function writeBatches(groups, folder) {
  mkdirSync(folder, { recursive: true });
  return groups.flatMap(({ name, files }) => {
    const batches = Math.ceil(files.length / FILES_PER_BATCH);
    return Array.from({ length: batches }, (_, batch) => {
      // Dealt like cards, so that neighbours, which are alike, do not all come into one batch.
      const own = files.filter((_, i) => i % batches === batch);
      const file = join(folder, `${basename(name)}-${batch + 1}.test.mjs`);
      writeFileSync(
        file,
        own.map((path) => `import ${JSON.stringify(pathToFileURL(path).href)};\n`).join(""),
      );
      return file;
    });
  });
}
