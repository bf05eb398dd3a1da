/**
 * Names one request of a plan; the set of keys is the same for any number of agents.
 * `stage` is the index in `resolveStages(plan)` (the warm-up, when there is one, is stage 0).
 * Open load: `k` counts the arrivals of the whole load. Closed load: request `j` of `user` in that stage.
 */
export type RequestKey =
  | { readonly kind: "open"; readonly stage: number; readonly k: number }
  | { readonly kind: "closed"; readonly stage: number; readonly user: number; readonly j: number };

/** Agent `index` of `count` owns every k, or every user, that is `index` modulo `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** How many of `whole` things, numbered from 0, are the shard's. */
export function partOf(whole: number, { index, count }: Shard): number {
  return Math.max(0, Math.ceil((whole - index) / count));
}

/**
 * The request id that goes to the target as X-Request-Id, so that a server's record can be joined with the plan:
 * `ts-<run>-s<stage>-k<k>-d<due>` (open; due in us since the load's first stage) or `ts-<run>-s<stage>-u<user>-j<j>` (closed).
 */
export function requestId(run: string, key: RequestKey, dueUs: number): string {
  return key.kind === "open"
    ? `ts-${run}-s${key.stage}-k${key.k}-d${dueUs}`
    : `ts-${run}-s${key.stage}-u${key.user}-j${key.j}`;
}
