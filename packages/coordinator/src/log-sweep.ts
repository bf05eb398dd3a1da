import { isTerminal, LoadError } from "@tokenstorm/core";
import { decodeRunRecord, runKey } from "@tokenstorm/protocol";
import type { CoordinatorDeps } from "./deps.js";
import { COORDINATOR_LIMITS } from "./limits.js";

/**
 * Purges runs that are over and whole in their run directory: the leader that wrote it may have died before it came to
 * that. What is left of a run that is not whole is kept for a week: it may be nowhere else. Throws BUS_UNAVAILABLE,
 * BUS_DENIED; what cannot be read is passed over.
 */
export async function sweepLog({ transport, logger, clock }: CoordinatorDeps): Promise<void> {
  for (const run of await transport.log.runs()) {
    const entry = await readable(async () => transport.state.get(runKey(run)));
    const record = entry && (await readable(async () => decodeRunRecord(entry.value)));
    if (record === undefined || !isTerminal(record.state)) continue;
    const isWhole = record.result?.isWhole === true;
    const isOld = clock.wallMs() - record.createdAtMs > COORDINATOR_LIMITS.unwholeKeptMs;
    if (!isWhole && !isOld) continue;
    await transport.log.purge(run);
    if (isWhole) logger.info("the log forgets a run that is over", { run });
    else logger.warn("the log forgets a run after a week, with what its run directory lacks", { run });
  }
}

/** Undefined for a name that is none, and for what is no record: others may write into the log and the store too. */
async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LoadError && error.code.startsWith("PROTOCOL")) return undefined;
    throw error;
  }
}
