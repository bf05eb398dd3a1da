import {
  assert,
  type Recorder,
  type RequestKey,
  type ResolvedStage,
  type Shard,
  type StageUser,
  usersOfShard,
} from "@tokenstorm/core";
import { Conversations } from "./conversations.js";
import { DueQueue } from "./due-queue.js";
import { type PooledRequest, RequestPool } from "./request-pool.js";
import type { RequestsAhead } from "./requests-ahead.js";
import type { EndedRequest, Sender } from "./sender.js";
import { sendingLengthUs } from "./stage-times.js";

export interface ClosedLoadOptions {
  readonly stages: readonly ResolvedStage[];
  readonly shard: Shard;
  /** The shard is this agent's from this stage on; 0 for its own. */
  readonly fromStage: number;
  /** Its users' slots are numbered from here on. */
  readonly firstSlot: number;
  readonly recorder: Recorder;
  readonly sender: Sender;
  readonly ahead: RequestsAhead;
}

/** One user of the shard; its place in the list is its slot. */
interface User {
  readonly user: number;
  /** Stage in which it is, or which it enters next. */
  stage: number;
  hasEntered: boolean;
  /** Number of its next request in that stage. */
  j: number;
  /** The request that it has taken, in a stage whose requests are shared; else null. */
  taken: PooledRequest | null;
  /** Its next request is not due before this. */
  earliestUs: number;
  /** Requests in a row that the target did not answer at all. */
  unanswered: number;
}

/**
 * A user whose request was not answered at all pauses before its next: so long the first time, twice as long each
 * time after, up to the longest. A dead target gets each user's knock once a second, and no storm.
 */
const PAUSE_FIRST_US = 100_000;
const PAUSE_LONGEST_US = 1_000_000;

/** A stage of users as this shard sees it. `members` by slot. */
interface OwnStage {
  readonly members: readonly StageUser[];
  /** Where users take requests as they become free; null where each has its own. */
  readonly pool: RequestPool | null;
  readonly thinkUs: number;
  /** How long after its start a request may still become due. */
  readonly lengthUs: number;
  /** Members that have not yet left it. */
  left: number;
}

/**
 * The shard's users: each sends, waits for the end, thinks, and sends again, through all stages of which it is a
 * member. The stage of a request follows from the time at which it is due. Times are run time, us; the caller watches
 * the clock and calls `sendNext`.
 */
export class ClosedLoad {
  readonly #options: ClosedLoadOptions;
  readonly #stages: readonly (OwnStage | null)[];
  readonly #users: readonly User[];
  readonly #due = new DueQueue();
  readonly #conversations = new Conversations();
  /** Users whose next stage has no start yet. */
  #parked: number[] = [];
  #startsUs: readonly (number | null)[] = [];
  #isStopped = false;

  constructor(options: ClosedLoadOptions) {
    this.#options = options;
    this.#stages = options.stages.map((stage) => ownStage(stage, options));
    const slots = Math.max(0, ...this.#stages.map((stage) => stage?.members.length ?? 0));
    this.#users = Array.from({ length: slots }, (_, slot) => ({
      user: options.shard.index + slot * options.shard.count,
      stage: 0,
      hasEntered: false,
      j: 0,
      taken: null,
      earliestUs: Number.NEGATIVE_INFINITY,
      unanswered: 0,
    }));
    this.#parked = this.#users.map((_, slot) => slot);
  }

  /** Earliest time at which a user is due; undefined while none is. */
  firstDueUs(): number | undefined {
    return this.#due.firstDueUs();
  }

  /** Starts of stages that are known by now; users that waited for one get their due times. */
  commit(startsUs: readonly (number | null)[]): void {
    this.#startsUs = startsUs;
    const parked = this.#parked;
    this.#parked = [];
    if (!this.#isStopped) for (const slot of parked) this.#planNext(slot);
  }

  /** Every user of the shard has left this stage; true where it has none. */
  isPassed(stage: number): boolean {
    return (this.#stages[stage]?.left ?? 0) === 0;
  }

  /** Asks for the first request of every member of a stage to be built. */
  prepareStage(stage: number): void {
    for (const { user, quota } of this.#stages[stage]?.members ?? []) {
      if (quota !== 0) this.#options.ahead.want({ kind: "closed", stage, user, j: 0 }, 0);
    }
  }

  /** Sends the request that is due first, if it is by then; false when none is. */
  sendNext(nowUs: number): boolean {
    const next = this.#due.takeDue(nowUs);
    if (next === undefined) return false;
    this.#send(next.item, next.dueUs);
    return true;
  }

  /** The slot's request has ended. */
  ended({ tUs, isUnanswered, text, ...request }: EndedRequest): void {
    const slot = request.slot - this.#options.firstSlot;
    const user = this.#user(slot);
    this.#conversations.ended(slot, text);
    if (this.#isStopped) return;
    user.j += 1;
    user.taken = null;
    user.unanswered = isUnanswered ? user.unanswered + 1 : 0;
    user.earliestUs = tUs + (this.#stages[user.stage]?.thinkUs ?? 0) + pauseUs(user.unanswered);
    this.#planNext(slot);
  }

  /** Nobody sends any more. */
  stop(): void {
    this.#isStopped = true;
    this.#due.clear();
    this.#parked = [];
  }

  #planNext(slot: number): void {
    const user = this.#user(slot);
    for (; user.stage < this.#stages.length; this.#leave(user)) {
      const stage = this.#stages[user.stage];
      const member = stage?.members[slot];
      if (stage === null || stage === undefined || member === undefined) continue;
      const startUs = this.#startsUs[user.stage] ?? null;
      if (startUs === null) {
        this.#parked.push(slot);
        return;
      }
      const dueUs = user.hasEntered
        ? user.earliestUs
        : Math.max(user.earliestUs, startUs + member.startOffsetUs);
      const isWithinQuota = hasAnother(user, member, stage.pool);
      if (isWithinQuota && dueUs < startUs + stage.lengthUs) {
        user.hasEntered = true;
        this.#options.ahead.want(keyOf(user), 0);
        this.#due.add(dueUs, slot);
        return;
      }
      if (isWithinQuota) this.#options.ahead.forget(keyOf(user), 0);
      stage.left -= 1;
    }
  }

  #leave(user: User): void {
    user.stage += 1;
    user.hasEntered = false;
    user.j = 0;
    user.taken = null;
  }

  #send(slot: number, dueUs: number): void {
    const { recorder, sender, ahead } = this.#options;
    const user = this.#user(slot);
    const key = keyOf(user);
    const built = this.#conversations.begin(slot, key.stage, ahead.take(key, 0));
    const sample = recorder.offer({
      stage: key.stage,
      dueUs,
      user: user.user,
      askedPromptTokens: built.asked.promptTokens,
      askedOutputTokens: built.asked.outputTokens,
      member: built.asked.member,
      images: built.asked.images,
      url: built.request.url,
    });
    sender.send(this.#options.firstSlot + slot, sample, built);
    this.#wantAfter(slot, key, user.taken);
  }

  /** Has the request built that this slot will send next, or in a pool another one. */
  #wantAfter(slot: number, key: Extract<RequestKey, { kind: "closed" }>, taken: PooledRequest | null): void {
    const { ahead } = this.#options;
    const stage = this.#stages[key.stage];
    if (taken !== null) {
      const next = stage?.pool?.oneRoundAfter(taken);
      if (next !== undefined) ahead.want({ ...key, user: next.user, j: next.j }, 0);
      return;
    }
    const quota = stage?.members[slot]?.quota ?? null;
    if (quota === null || key.j + 1 < quota) ahead.want({ ...key, j: key.j + 1 }, 0);
  }

  #user(slot: number): User {
    const user = this.#users[slot];
    assert(user !== undefined, `there is no user in slot ${slot}`);
    return user;
  }
}

function pauseUs(unanswered: number): number {
  return unanswered === 0 ? 0 : Math.min(PAUSE_LONGEST_US, PAUSE_FIRST_US * 2 ** (unanswered - 1));
}

function keyOf(user: User): Extract<RequestKey, { kind: "closed" }> {
  const { user: whose, j } = user.taken ?? user;
  return { kind: "closed", stage: user.stage, user: whose, j };
}

/** Whether there is a request left for this user; one from a pool is its own from then on. */
function hasAnother(user: User, member: StageUser, pool: RequestPool | null): boolean {
  if (pool === null) return member.quota === null || user.j < member.quota;
  user.taken ??= pool.take() ?? null;
  return user.taken !== null;
}

function ownStage(
  stage: ResolvedStage,
  { shard, fromStage }: Pick<ClosedLoadOptions, "shard" | "fromStage">,
): OwnStage | null {
  if (stage.kind !== "users" || stage.index < fromStage) return null;
  // Users that are taken over in mid-run go on from nowhere: they begin over the stage's ramp, as added ones do.
  const isTaken = fromStage > 0 && stage.index === fromStage;
  const members = usersOfShard(isTaken ? { ...stage, staying: 0 } : stage, shard);
  return {
    members,
    pool: stage.bound.kind === "requests" && stage.bound.isPool === true ? new RequestPool(members) : null,
    thinkUs: stage.thinkUs,
    lengthUs: sendingLengthUs(stage),
    left: members.length,
  };
}
