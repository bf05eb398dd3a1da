import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { LoadError, type StudyStep, type SwitchStep } from "@tokenstorm/core";
import { printable } from "@tokenstorm/report/columns";
import { makeOutFolder } from "../run-directory.js";
import { awaitHealth, isAnswered } from "./await-health.js";
import { type HookCommand, type HookProcess, runHook, startHook } from "./hook-process.js";

export interface StudyHooksOptions {
  /** Of the study. */
  readonly directory: string;
  /** Of the study file. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onNote: (text: string) => void;
}

/** Carries out what makes the server another condition, and ends what it started. */
export interface StudyHooks {
  switch(step: SwitchStep): Promise<void>;
  health(step: Extract<StudyStep, { kind: "health" }>): Promise<void>;
  /** What serves now, where a command of the study file does. */
  serving(): HookProcess | undefined;
  /** May be called twice. */
  close(): Promise<void>;
}

/** Made by a person who has switched the server, where there is no terminal to press Enter on. */
export const SWITCHED_FILE = "switched";
const LOOK_MS = 500;

export function createStudyHooks(options: StudyHooksOptions): StudyHooks {
  let serving: { readonly hook: HookProcess; readonly stopLimitMs: number } | undefined;
  let commands = 0;
  const stopServing = async () => {
    await serving?.hook.stop(serving.stopLimitMs);
    serving = undefined;
  };
  const commandOf = async (
    step: SwitchStep,
    what: string,
    words: readonly string[],
  ): Promise<HookCommand> => {
    const logs = join(options.directory, "hooks");
    await makeOutFolder(logs);
    commands += 1;
    const logFile = join(logs, `${String(commands).padStart(3, "0")}-${what}-${step.condition}.log`);
    const { folder, env } = options;
    return { words, shell: step.shell, folder, env, logFile };
  };
  return {
    switch: async (step) => {
      await stopServing();
      if (step.how === "manual") return askPerson(step, options);
      if (step.switch !== null) {
        const { signal } = options;
        const command = await commandOf(step, "switch", step.switch);
        await runHook(command, { timeLimitMs: step.timeLimitMs, signal });
      }
      if (step.serve === null || options.signal.aborted) return;
      if (await isAnswered(step.healthUrl)) {
        throw new LoadError(
          "TARGET_UNREACHABLE",
          `something answers at ${step.healthUrl} already, before ${step.condition} was started: it would be measured in its place`,
          { hint: "end what listens there, then --resume" },
        );
      }
      const hook = await startHook(await commandOf(step, "serve", step.serve));
      serving = { hook, stopLimitMs: step.stopLimitMs };
    },
    health: async ({ url, waitMs }) => {
      if (waitMs === 0) return;
      const { signal, onNote } = options;
      await awaitHealth({ url, waitMs, signal, onNote, serving: serving?.hook });
    },
    serving: () => serving?.hook,
    close: stopServing,
  };
}

/** Waits for Enter, or for a file where nobody can press it; without limit, as a person may take their time. */
async function askPerson(
  step: SwitchStep,
  { directory, signal, onNote }: Pick<StudyHooksOptions, "directory" | "signal" | "onNote">,
): Promise<void> {
  const file = join(directory, SWITCHED_FILE);
  // Of an earlier switch: that one is over.
  await rm(file, { force: true });
  const isTty = process.stdin.isTTY === true;
  onNote(
    `switch the server to ${step.condition}${step.instructions === null ? "" : `: ${printable(step.instructions)}`}`,
  );
  onNote(isTty ? `then press Enter, or make the file ${file}` : `then make the file ${file}`);
  const lines = isTty ? createInterface({ input: process.stdin }) : undefined;
  let isPressed = false;
  lines?.once("line", () => {
    isPressed = true;
  });
  // The terminal's own Ctrl-C comes as a line's event, not as a signal.
  lines?.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    while (!isPressed && !existsSync(file) && !signal.aborted) {
      await wait(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    lines?.close();
    await rm(file, { force: true });
  }
}
