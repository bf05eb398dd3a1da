import type { Stamps } from "@tokenstorm/agent";
import type { Writes } from "./write-log.js";

/**
 * How late each event was stamped: the client's read stamp minus the server's stamp before the write, us, ascending; both
 * on the host's one monotonic clock. Infinite for an event whose write is not among those that are known.
 */
export function stampErrorsUs(stamps: Stamps, writes: Writes): Float64Array {
  const written = writesByUser(writes);
  const errors = stamps.readUs.map((readUs, i) => {
    const ofUser = written.get(stamps.users[i] ?? -1);
    const at = ofUser === undefined ? -1 : (stamps.ordinals[i] ?? 0) - ofUser.firstOrdinal;
    const writtenUs = ofUser?.us[at];
    return writtenUs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, readUs - writtenUs);
  });
  return errors.sort();
}

/** Of the server's steps from `fromUs` until before `toUs`: how late they began, us, ascending. */
export function stepLagsUs(writes: Writes, { fromUs, toUs }: { fromUs: number; toUs: number }): Float64Array {
  const isWithin = (us: number) => us >= fromUs && us < toUs;
  return writes.lagUs.filter((_, i) => isWithin(writes.steppedUs[i] ?? 0)).sort();
}

/** Nearest rank; 0 of nothing. */
export function percentile(ascending: Float64Array, share: number): number {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? 0;
}

interface UserWrites {
  readonly firstOrdinal: number;
  readonly us: number[];
}

/** A user's tokens are written one behind the other, whichever answer they belong to. */
function writesByUser({ users, ordinals, writtenUs }: Writes): Map<number, UserWrites> {
  const found = new Map<number, UserWrites>();
  for (const [i, user] of users.entries()) {
    const ordinal = ordinals[i] ?? 0;
    let ofUser = found.get(user);
    if (ofUser === undefined) {
      ofUser = { firstOrdinal: ordinal, us: [] };
      found.set(user, ofUser);
    }
    ofUser.us[ordinal - ofUser.firstOrdinal] = writtenUs[i] ?? 0;
  }
  return found;
}
