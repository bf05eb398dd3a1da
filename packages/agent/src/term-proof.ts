import { LoadError } from "@tokenstorm/core";
import { type Beacon, decodeLease, LEADER_KEY, type StateStore } from "@tokenstorm/protocol";

export interface TermProofOptions {
  readonly state: StateStore;
  /** The store bears the beacon out, which came at this time. */
  readonly onProven: (beacon: Beacon, arrivedUs: number) => void;
  /** The store knows of no such leader. */
  readonly onRefuted: (error: LoadError) => void;
  /** Anything else is a bug. */
  readonly onBug: (error: unknown) => void;
}

interface Claim {
  readonly beacon: Beacon;
  readonly arrivedUs: number;
}

/**
 * A beacon of a higher term, or of another leader under the same, is a claim: whoever believed it would hear the true
 * leader no more. The StateStore knows, for a leader speaks only once its entry stands there. One question at a time; the
 * newest claim waits for the next.
 */
export class TermProof {
  readonly #options: TermProofOptions;
  #next: Claim | undefined;
  #isAsking = false;
  #isClosed = false;

  constructor(options: TermProofOptions) {
    this.#options = options;
  }

  ask(beacon: Beacon, arrivedUs: number): void {
    this.#next = { beacon, arrivedUs };
    // Every ending is handled within.
    if (!this.#isAsking) void this.#askAll();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    for (let claim = this.#next; claim !== undefined && !this.#isClosed; claim = this.#next) {
      this.#next = undefined;
      await this.#askOnce(claim);
    }
    this.#isAsking = false;
  }

  async #askOnce({ beacon, arrivedUs }: Claim): Promise<void> {
    const { state, onProven, onRefuted, onBug } = this.#options;
    try {
      const entry = await state.get(LEADER_KEY);
      if (this.#isClosed) return;
      // In a store that was begun anew nobody's entry stands yet: there is nothing that speaks against it.
      if (entry === undefined || isBornOut(beacon, entry.value)) onProven(beacon, arrivedUs);
      else onRefuted(refuted(beacon));
    } catch (error) {
      // A store that does not answer says nothing: the leader's next beacon comes within a second.
      if (!(error instanceof LoadError) && !this.#isClosed) onBug(error);
    }
  }
}

function isBornOut({ term, leaderInstance }: Beacon, value: Uint8Array): boolean {
  const lease = decodeLease(value);
  if (lease === null) return false;
  // Under a lower term than the store's somebody did lead, and has been replaced since.
  return lease.term > term || (lease.term === term && lease.instance === leaderInstance);
}

function refuted({ leader, term }: Beacon): LoadError {
  return new LoadError("PROTOCOL_MALFORMED", `a beacon of ${leader}, which does not lead under term ${term}`);
}
