import { rm, utimes, writeFile } from "node:fs/promises";
import type { Bus } from "@tokenstorm/protocol";
import type { CommandContext } from "./context.js";
import { CHILD_ENV } from "./interrupt.js";
import { reasonOf } from "./plan-file.js";

/** Names the file by whose age others know whether a long-running command is fit, such as the image's health check. */
export const HEALTH_ENV = "TOKENSTORM_HEALTH_FILE";
const BEAT_MS = 1000;
/** A supervised process that said nothing for so long is not fit: its event loop stands still, or it has ended. */
const SILENCE_LIMIT_MS = 5000;
/** What a supervised process tells its supervisor, once a second while it is fit. */
const FIT_MESSAGE = "fit";

export interface Health {
  /** Removes the file: whoever ended in order is not unfit. May be called twice. */
  close(): Promise<void>;
}

export interface HealthOptions extends Pick<CommandContext, "env" | "announce" | "terminal"> {
  /** Asked once a second. */
  readonly isFit: () => boolean;
  readonly beatMs?: number;
}

/**
 * Touches the file that the environment names once a second while the command is fit; in a supervised process it tells
 * the supervisor instead. The file is there from the start, and old: a command that is not fit yet is not taken for one
 * that has no health. A file that cannot be written is said once, and ends nothing.
 */
export async function tellHealth(options: HealthOptions): Promise<Health> {
  const file = options.env[HEALTH_ENV];
  if (file === undefined || file === "") return { close: async () => undefined };
  if (options.env[CHILD_ENV] !== undefined)
    return beat(options, async () => options.announce({ kind: FIT_MESSAGE }));
  const complain = (error: unknown) =>
    options.terminal.say(`warning: the health file ${file} cannot be written: ${reasonOf(error)}`);
  try {
    await writeFile(file, "");
    await utimes(file, 0, 0);
  } catch (error) {
    complain(error);
    return { close: async () => undefined };
  }
  const health = beat(
    options,
    () => {
      const nowS = Date.now() / 1000;
      return utimes(file, nowS, nowS);
    },
    complain,
  );
  return {
    close: async () => {
      await health.close();
      await rm(file, { force: true }).catch(complain);
    },
  };
}

/** One at a time: a disk that stands still must not pile them up. Stops at the first that fails. */
function beat(
  { isFit, beatMs }: HealthOptions,
  tell: () => Promise<void>,
  onFailed: (error: unknown) => void = () => undefined,
): Health {
  let telling: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (telling !== undefined || !isFit()) return;
    telling = tell().then(
      () => {
        telling = undefined;
      },
      (error) => {
        clearInterval(timer);
        telling = undefined;
        onFailed(error);
      },
    );
  }, beatMs ?? BEAT_MS);
  timer.unref();
  return {
    close: async () => {
      clearInterval(timer);
      await telling;
    },
  };
}

/** Whether the connection is there, by its own word. */
export function watchConnection(bus: Bus): () => boolean {
  let isConnected = false;
  bus.onStatus((status) => {
    if (status.kind !== "denied") isConnected = status.kind === "connected";
  });
  return () => isConnected;
}

/** The health of supervised processes: all of them, or none. */
export interface HealthOfMany {
  /** What process `i` said over its channel. */
  heed(i: number, message: unknown): void;
  areFit(): boolean;
}

export function healthOfMany(count: number, nowMs: () => number = () => performance.now()): HealthOfMany {
  const saidAtMs = Array.from({ length: count }, () => Number.NEGATIVE_INFINITY);
  return {
    heed: (i, message) => {
      const isWord = typeof message === "object" && message !== null && "kind" in message;
      if (isWord && message.kind === FIT_MESSAGE) saidAtMs[i] = nowMs();
    },
    areFit: () => saidAtMs.every((atMs) => nowMs() - atMs < SILENCE_LIMIT_MS),
  };
}
