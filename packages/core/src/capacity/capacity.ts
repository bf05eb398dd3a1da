/** What reads answers; see `target.reader`. */
export const READER_NAMES = ["undici", "raw"] as const;
export type ReaderName = (typeof READER_NAMES)[number];

/** Events per second that one agent process reads with clean stamps. */
export interface ReaderCapacity {
  readonly eventsPerS: number;
  /** The true figure is no smaller, but how large it is was not found: not the reader was the limit. */
  readonly isAtLeast: boolean;
}

/** What one agent process carries on a host, as `tokenstorm calibrate` found there. */
export type Capacity = Readonly<Record<ReaderName, ReaderCapacity>>;

/** The reader's figure where it is known to be its limit; undefined where more may be carried. */
export function knownLimit(capacity: Capacity | undefined, reader: string): number | undefined {
  const name = READER_NAMES.find((one) => one === reader);
  const found = name === undefined ? undefined : capacity?.[name];
  return found === undefined || found.isAtLeast ? undefined : found.eventsPerS;
}
