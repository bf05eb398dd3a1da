import { createWriteStream } from "node:fs";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { keepStamps, type TargetFactory } from "@tokenstorm/agent";
import type { Logger } from "pino";
import { makeFolder } from "./run-directory.js";

/** Some 100 MB in memory, and a third of it in the file. */
const MOST_EVENTS = 4_000_000;

export interface DebugStampsOptions {
  /** None: nothing is kept, and the targets are left as they are. */
  readonly folder: string | undefined;
  readonly agent: string;
  readonly log: Logger;
}

/** One file for each run of an agent: `<agent>-<n>.jsonl`, n counting the runs of its process. */
export function withDebugStamps(
  targets: TargetFactory,
  { folder, agent, log }: DebugStampsOptions,
): TargetFactory {
  if (folder === undefined || folder === "") return targets;
  let runs = 0;
  return keepStamps(targets, {
    mostEvents: MOST_EVENTS,
    write: async (lines) => {
      runs += 1;
      const file = join(resolve(folder), `${agent}-${runs}.jsonl`);
      try {
        await makeFolder(resolve(folder));
        await pipeline(Readable.from(withNewlines(lines)), createWriteStream(file));
        log.info({ file }, "stamps of every event are in a file");
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        log.warn({ file, why }, "the stamps of every event could not be written");
      }
    },
  });
}

function* withNewlines(lines: Iterable<string>): Iterable<string> {
  for (const line of lines) yield `${line}\n`;
}
