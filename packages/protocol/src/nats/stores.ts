import { setTimeout as wait } from "node:timers/promises";
import {
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { LoadError } from "@tokenstorm/core";
import type { Subjects } from "../subjects.js";
import { isApiError, JS_CODES, noCluster, permissionViolation, toLoadError } from "./errors.js";
import type { Replicas } from "./options.js";
import { SYSTEM_TIME, type Time } from "./time.js";

/** Names in JetStream, made from the subject prefix: TS_RES, TS_STATE, TS_BLOB, TS_DATA for `ts`. */
export interface StoreNames {
  readonly results: string;
  readonly state: string;
  readonly blobs: string;
  /** Of plans' files. */
  readonly dataSets: string;
}

export function storeNames(prefix: string): StoreNames {
  const base = prefix.toUpperCase();
  return { results: `${base}_RES`, state: `${base}_STATE`, blobs: `${base}_BLOB`, dataSets: `${base}_DATA` };
}

/** One connection with what JetStream needs of it. */
export interface JetStreamLink {
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly names: StoreNames;
  readonly subjects: Subjects;
  readonly timeoutMs: number;
}

/** A server forgets message ids after so long; a later twin is caught by the fold. */
const DUPLICATE_WINDOW_MS = 120_000;
/** A data set is forgotten so long after it was put; who submits a plan with it puts an older one anew. */
const DATA_SETS_KEPT_MS = 14 * 86_400_000;
const NANOS_PER_MS = 1_000_000;
/** Pause after the first look for what a coordinator makes, which may be starting beside us; each further one is half as long again. */
const LOOK_AGAIN_MS = 25;
/** The longest: many agents may wait for hours. */
const LOOK_AGAIN_MOST_MS = 250;

export interface PrepareOptions {
  readonly resultsMaxBytes: number;
  /** As the operator wants it; undefined: by what NATS is. */
  readonly replicas: Replicas | undefined;
  /** Servers of a cluster that have just begun are waited for so long. */
  readonly peersMs: number;
  readonly onWarning: (text: string) => void;
}

const PREPARING = "preparing NATS for tokenstorm";

/** Makes what is not there yet; what is there is left as it is, but for copies that were asked for. */
export async function prepareStores(link: JetStreamLink, options: PrepareOptions): Promise<void> {
  const { replicas } = options;
  const make = (copies: Replicas) => makeStores(link, options, copies);
  try {
    if (link.connection.info?.cluster === undefined) await make(replicas ?? 1);
    else if (replicas !== undefined) await untilPlaced(() => make(replicas), options);
    else await makeWithMostCopies(make, options);
    await forbidRollups(link);
    if (replicas !== undefined) await untilPlaced(() => keepCopies(link, replicas), options);
  } catch (error) {
    throw toLoadError(error, PREPARING);
  }
}

/**
 * Three copies survive the loss of a server; a cluster that cannot place them is better than none. What is made with one
 * copy stays so.
 */
export async function makeWithMostCopies(
  make: (replicas: Replicas) => Promise<void>,
  options: Pick<PrepareOptions, "peersMs" | "onWarning">,
  time: Time = SYSTEM_TIME,
): Promise<void> {
  try {
    return await untilPlaced(() => make(3), options, time);
  } catch (error) {
    const { noPeers, noReplicas, noRoomForReplicas } = JS_CODES;
    if (!isApiError(error, noPeers, noReplicas, noRoomForReplicas)) throw error;
  }
  options.onWarning(
    "this NATS cluster has no room for three copies of what runs need, so there is one: what its server loses is lost",
  );
  await make(1);
}

/** Servers that have just begun, or are busy, are given time to find each other. Rejects as the last attempt did. */
export async function untilPlaced(
  make: () => Promise<void>,
  { peersMs }: Pick<PrepareOptions, "peersMs">,
  time: Time = SYSTEM_TIME,
): Promise<void> {
  const untilMs = time.nowMs() + peersMs;
  for (;;) {
    try {
      return await make();
    } catch (error) {
      const mayCome = isApiError(error, JS_CODES.noPeers, JS_CODES.noReplicas);
      if (!mayCome || time.nowMs() >= untilMs) throw error;
    }
    await time.wait(LOOK_AGAIN_MOST_MS);
  }
}

/** The state bucket comes last: others wait for it. */
async function makeStores(
  link: JetStreamLink,
  { resultsMaxBytes }: PrepareOptions,
  replicas: Replicas,
): Promise<void> {
  await prepareResults(link, resultsMaxBytes, replicas);
  await new Objm(link.js).create(link.names.blobs, { storage: StorageType.File, replicas });
  await new Objm(link.js).create(link.names.dataSets, {
    storage: StorageType.File,
    replicas,
    ttl: DATA_SETS_KEPT_MS * NANOS_PER_MS,
  });
  await new Kvm(link.js).create(link.names.state, {
    history: 1,
    storage: StorageType.File,
    replicas,
    // A direct read may be answered by a server that is behind; compare-and-set needs the newest.
    allow_direct: false,
  });
}

/** Of what was there before with another number of copies. */
async function keepCopies({ manager, names }: JetStreamLink, replicas: Replicas): Promise<void> {
  const { results, state, blobs, dataSets } = names;
  for (const stream of [results, `KV_${state}`, `OBJ_${blobs}`, `OBJ_${dataSets}`]) {
    const { config, cluster } = await manager.streams.info(stream);
    // A server that is alone makes no second copy, and takes the change all the same.
    if (replicas > 1 && cluster?.name === undefined) throw noCluster(PREPARING);
    if (config.num_replicas !== replicas)
      await manager.streams.update(stream, { ...config, num_replicas: replicas });
  }
}

/** The library lets one message replace a whole bucket; whoever may write one run could then erase all of them. */
async function forbidRollups({ manager, names }: JetStreamLink): Promise<void> {
  const stream = `KV_${names.state}`;
  const { config } = await manager.streams.info(stream);
  if (config.allow_rollup_hdrs) await manager.streams.update(stream, { ...config, allow_rollup_hdrs: false });
}

async function prepareResults(link: JetStreamLink, maxBytes: number, replicas: Replicas): Promise<void> {
  const name = link.names.results;
  const info = await orNotFound(link.manager.streams.info(name));
  if (info === undefined) {
    await link.manager.streams.add({
      name,
      subjects: [link.subjects.results],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      // Full means refused, and so noticed; the other policy would drop the oldest results.
      discard: DiscardPolicy.New,
      max_bytes: maxBytes,
      duplicate_window: DUPLICATE_WINDOW_MS * NANOS_PER_MS,
      num_replicas: replicas,
    });
  } else if (!info.config.subjects?.includes(link.subjects.results)) {
    throw new LoadError(
      "BUS_UNAVAILABLE",
      `the stream ${name} on this NATS is not that of the prefix "${link.subjects.prefix}"`,
      { hint: "choose another --subject-prefix" },
    );
  }
}

/** Waits for what only a coordinator makes. A user who may not even look (a viewer) is let through if `mayBeDenied`. */
export async function awaitStores(
  link: JetStreamLink,
  options: {
    readonly limitMs: number;
    readonly mayBeDenied: boolean;
    readonly signal?: AbortSignal | undefined;
    readonly onWaiting?: ((why: LoadError) => void) | undefined;
  },
): Promise<void> {
  const deadline = performance.now() + options.limitMs;
  const missing = new LoadError(
    "BUS_UNAVAILABLE",
    `no coordinator has ever prepared this NATS for the prefix "${link.subjects.prefix}"`,
    { hint: "start one: tokenstorm coordinator --nats URL" },
  );
  let pauseMs = LOOK_AGAIN_MS;
  for (let looks = 0; ; looks += 1) {
    try {
      if ((await orNotFound(link.manager.streams.info(`KV_${link.names.state}`))) !== undefined) return;
    } catch (error) {
      if (options.mayBeDenied && permissionViolation(error) !== undefined) return;
      throw toLoadError(error, "looking for tokenstorm's state on NATS");
    }
    if (performance.now() + pauseMs > deadline || options.signal?.aborted) throw missing;
    if (looks === 0) options.onWaiting?.(missing);
    await wait(pauseMs, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(
      () => undefined,
    );
    pauseMs = Math.min(pauseMs * 1.5, LOOK_AGAIN_MOST_MS);
  }
}

async function orNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isApiError(error, JS_CODES.streamNotFound)) return undefined;
    throw error;
  }
}
