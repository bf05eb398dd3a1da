import { setTimeout as wait } from "node:timers/promises";
import { LoadError } from "@tokenstorm/core";
import { createHttpGet } from "../http-get.js";
import { reasonOf } from "../plan-file.js";
import type { HookProcess } from "./hook-process.js";

const ASK_MS = 500;
const ANSWER_LIMIT_MS = 5000;
const NOTE_AFTER_MS = 5000;

export interface HealthOptions {
  readonly url: string;
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly onNote: (text: string) => void;
  /** The command that serves; what it cannot do any more is not waited for. */
  readonly serving: HookProcess | undefined;
}

const get = createHttpGet([]);

/** Resolves when the server answers 200, or the signal came. Throws TARGET_UNREACHABLE past the limit. */
export async function awaitHealth({ url, waitMs, signal, onNote, serving }: HealthOptions): Promise<void> {
  const beganAt = performance.now();
  let hasNoted = false;
  for (;;) {
    const said = await whatIsSaid(url);
    if (said === null || signal.aborted) return;
    if (serving !== undefined && !serving.isRunning()) {
      throw new LoadError(
        "RUN_ABORTED",
        `the command ${serving.text} ${(await serving.ended) ?? "ended"} before ${url} answered${await serving.lastWords()}`,
      );
    }
    const waitedMs = performance.now() - beganAt;
    if (waitedMs >= waitMs) {
      throw new LoadError("TARGET_UNREACHABLE", `${url} was not healthy within ${waitMs} ms: ${said}`, {
        hint: "hooks.healthWaitMs waits longer (0 does not ask at all), hooks.healthUrl asks elsewhere; --resume goes on",
      });
    }
    if (waitedMs >= NOTE_AFTER_MS && !hasNoted) {
      hasNoted = true;
      onNote(`waiting for ${url} to be healthy: ${said}`);
    }
    await wait(Math.min(ASK_MS, waitMs - waitedMs), undefined, { signal }).catch(() => undefined);
  }
}

/** Whether anything at all answers there. */
export async function isAnswered(url: string): Promise<boolean> {
  try {
    await get(url, { timeoutMs: ANSWER_LIMIT_MS });
    return true;
  } catch {
    return false;
  }
}

/** Null where it is healthy, else why not. */
async function whatIsSaid(url: string): Promise<string | null> {
  try {
    const { status } = await get(url, { timeoutMs: ANSWER_LIMIT_MS });
    return status === 200 ? null : `it answers ${status}`;
  } catch (error) {
    return reasonOf(error);
  }
}
