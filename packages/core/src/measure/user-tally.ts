import type { Shard } from "../load/keys.js";
import type { ResolvedStage } from "../load/stages.js";
import { measuredWindow } from "../load/timeline.js";
import { quotaOf } from "../load/users.js";
import type { UsersStarted } from "./snapshot.js";

/** What the users of the shard did in one stage: who sent, and who completed requests due in its measured window. */
export class UserTally {
  readonly #completed = new Map<number, number>();
  readonly #started = new Set<number>();
  #late = 0;
  #lateUs = 0;
  readonly #stage: ResolvedStage;
  readonly #shards: Shard[];
  /** Otherwise only users that offered count. */
  readonly #isShardKnown: boolean;

  constructor(stage: ResolvedStage, shard: Shard | undefined) {
    this.#stage = stage;
    this.#shards = shard === undefined ? [] : [shard];
    this.#isShardKnown = shard !== undefined;
  }

  /** Users of a further shard are this agent's from here on. */
  takeOver(shard: Shard): void {
    this.#shards.push(shard);
  }

  offered(user: number): void {
    if (!this.#isShardKnown && !this.#completed.has(user)) this.#completed.set(user, 0);
  }

  completed(user: number): void {
    this.#completed.set(user, (this.#completed.get(user) ?? 0) + 1);
  }

  /** `sinceStartUs`: since the stage's start. */
  sent(user: number, sinceStartUs: number): void {
    if (this.#started.has(user)) return;
    this.#started.add(user);
    if (this.#stage.kind !== "users" || this.#stage.bound.kind === "requests") return;
    const window = measuredWindow(this.#stage);
    // One that goes on from the stage before may still wait for an answer from there: it is in flight.
    if (window === null || user < this.#stage.staying || sinceStartUs < window.fromUs) return;
    this.#late += 1;
    this.#lateUs += Math.min(sinceStartUs, window.toUs ?? sinceStartUs) - window.fromUs;
  }

  /** Null for a stage without users. */
  started(): UsersStarted | null {
    if (this.#stage.kind !== "users") return null;
    const { users, bound } = this.#stage;
    let never = 0;
    for (const user of this.#users()) {
      const isAsked = bound.kind === "duration" || quotaOf(bound.requests, user, users) > 0;
      if (isAsked && !this.#started.has(user)) never += 1;
    }
    return { never, late: this.#late, lateUs: this.#lateUs };
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
    if (!this.#isShardKnown) yield* this.#completed.keys();
    else if (this.#stage.kind === "users") {
      for (const { index, count } of this.#shards)
        for (let user = index; user < this.#stage.users; user += count) yield user;
    }
  }
}
