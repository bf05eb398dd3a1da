import type { StageUser } from "@tokenstorm/core";

/** One request of a pool: whose key it has, and where it stands in the order. */
export interface PooledRequest {
  readonly place: number;
  readonly user: number;
  readonly j: number;
}

/**
 * The requests of a stage that this shard's users take as they become free, as a semaphore over a list hands them out.
 * The keys are those that quotas would give: every user's first, then every user's second, and so on; so the set of
 * keys is the same for any number of agents, and only who sends one depends on how long the others took.
 */
export class RequestPool {
  readonly #members: readonly StageUser[];
  readonly #total: number;
  #taken = 0;

  constructor(members: readonly StageUser[]) {
    this.#members = members;
    this.#total = members.reduce((sum, { quota }) => sum + (quota ?? 0), 0);
  }

  /** The next one; undefined when all are taken. */
  take(): PooledRequest | undefined {
    const next = this.#at(this.#taken);
    if (next !== undefined) this.#taken += 1;
    return next;
  }

  /** The one that will be wanted once every user has sent another; undefined where it is taken already or there is none. */
  oneRoundAfter({ place }: PooledRequest): PooledRequest | undefined {
    const next = place + this.#members.length;
    return next < this.#taken ? undefined : this.#at(next);
  }

  /** Quotas differ by one at most and never grow with the user: every round but the last is a full one. */
  #at(place: number): PooledRequest | undefined {
    const member = this.#members[place % this.#members.length];
    if (place >= this.#total || member === undefined) return undefined;
    return { place, user: member.user, j: Math.floor(place / this.#members.length) };
  }
}
