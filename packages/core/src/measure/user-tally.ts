import type { Shard } from "../load/keys.js";
import type { ResolvedStage } from "../load/stages.js";

/** How many requests each user of the shard completed that were due in the measured window of one stage. */
export class UserTally {
  readonly #completed = new Map<number, number>();
  readonly #stage: ResolvedStage;
  readonly #shard: Shard | undefined;

  constructor(stage: ResolvedStage, shard: Shard | undefined) {
    this.#stage = stage;
    this.#shard = shard;
  }

  offered(user: number): void {
    if (this.#shard === undefined && !this.#completed.has(user)) this.#completed.set(user, 0);
  }

  completed(user: number): void {
    this.#completed.set(user, (this.#completed.get(user) ?? 0) + 1);
  }

  /** Of the user that completed fewest; null where the shard has no user in this stage. */
  fewest(): number | null {
    let fewest: number | null = null;
    for (const user of this.#users()) {
      const completed = this.#completed.get(user) ?? 0;
      if (fewest === null || completed < fewest) fewest = completed;
    }
    return fewest;
  }

  *#users(): Iterable<number> {
    if (this.#shard === undefined) yield* this.#completed.keys();
    else if (this.#stage.kind === "users") {
      for (let user = this.#shard.index; user < this.#stage.users; user += this.#shard.count) yield user;
    }
  }
}
