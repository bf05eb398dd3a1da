import { assert } from "../errors.js";
import type { Ledger } from "./snapshot.js";

/**
 * The two equations that hold for every shard: every request offered is sent, unsent, dropped or waiting; and what was
 * in flight or got there has ended or is still in flight. One that does not hold is a bug of the recorder or of
 * whoever calls it, and no number after it can be believed.
 */
export function checkLedger(before: Ledger, after: Ledger): void {
  const { offered, sent, unsent, dropped, waiting, inFlight } = after;
  if (offered !== sent + unsent + dropped + waiting) {
    assert(false, `offered is not sent + unsent + dropped + waiting: ${JSON.stringify(after)}`);
  }
  const began = before.inFlight + sent - before.sent + unsent - before.unsent;
  const ended = endedIn(after) - endedIn(before);
  if (began !== ended + inFlight) {
    assert(
      false,
      `in flight before + sent + unsent is not ended + in flight: ${JSON.stringify({ before, after })}`,
    );
  }
}

function endedIn(ledger: Ledger): number {
  return ledger.completed + ledger.failed + ledger.cancelled + ledger.unknown;
}
