import { rehearse } from "./rehearsal.js";

/** After so long without a call V8 may have thrown compiled code away. */
const FRESH_US = 60_000_000;

/** A rehearsal made before anybody needs it, so that a run begins sooner. */
export interface RehearsalAhead {
  /** Begins one, unless one is under way. */
  begin(): void;
  /** Resolves when one has ended that is not older than a minute. */
  fresh(): Promise<void>;
}

/** `work` is what is rehearsed; it must not fail. */
export function rehearseAhead(nowUs: () => number, work: () => Promise<unknown> = rehearse): RehearsalAhead {
  let underWay: Promise<void> | undefined;
  let endedAtUs = Number.NEGATIVE_INFINITY;
  const begin = (): Promise<void> => {
    underWay ??= work().then(() => {
      endedAtUs = nowUs();
      underWay = undefined;
    });
    return underWay;
  };
  return {
    begin: () => void begin(),
    fresh: async () => {
      if (underWay !== undefined || nowUs() - endedAtUs > FRESH_US) await begin();
    },
  };
}
