import { type ProbeResult, probeTarget } from "@tokenstorm/agent";
import { LoadError, planFromFlags, type RunFlagValues } from "@tokenstorm/core";
import { systemClock } from "@tokenstorm/protocol";
import { type Command, Option } from "commander";
import { newId } from "../cluster.js";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { onInterrupt } from "../interrupt.js";
import { checkPlan } from "../plan-file.js";
import { renderProbe } from "../probe-timeline.js";
import { addPlanFlag } from "./run.js";

/** The keys of a plan that one request depends on. */
const PROBE_FLAGS = [
  "api",
  "model",
  "inputTokens",
  "outputTokens",
  "respectEos",
  "temperature",
  "images",
  "imageSize",
  "apiKeyEnv",
  "apiKeyFile",
  "header",
  "insecure",
  "set",
] as const;

interface ProbeFlags extends RunFlagValues {
  readonly json?: boolean;
}

export function addProbe(program: Command, context: CommandContext): void {
  const command = program
    .command("probe")
    .description("send one request, and show it as a timeline")
    .argument("<url>", "server, without /v1");
  for (const name of PROBE_FLAGS) addPlanFlag(command, name);
  command
    .addOption(new Option("--json", "as JSON"))
    .action((url: string, flags: ProbeFlags) => context.finish(probe(url, flags, context)));
}

async function probe(url: string, flags: ProbeFlags, { terminal, env }: CommandContext): Promise<number> {
  const plan = checkPlan(planFromFlags(url, flags));
  if (plan.workload.kind !== "synthetic-text")
    throw new LoadError("PLAN_INVALID", "a probe sends made-up text, with images or without", {
      hint: "tokenstorm run sends files, mixtures, conversations and traces",
    });
  const stopped = interruption();
  // Nobody waits for a request that was left: the process ends with its sockets.
  const result: ProbeResult | string = await Promise.race([
    probeTarget({ plan, env, clock: systemClock(), salt: newId(8) }),
    stopped.cause,
  ]);
  stopped.close();
  const { stdout } = terminal;
  if (typeof result === "string") {
    terminal.say(`stopped by ${result} before the answer was complete`);
    return EXIT.stopped;
  }
  await terminal.print(
    flags.json === true
      ? JSON.stringify(result, null, 2)
      : renderProbe(result, { width: stdout.width(), colour: stdout.colour }),
  );
  return result.outcome.kind === "completed" ? EXIT.ok : EXIT.error;
}

/** What interrupted the command, once something does. */
function interruption(): { readonly cause: Promise<string>; close(): void } {
  let close = () => {};
  const cause = new Promise<string>((resolve) => {
    const interrupts = onInterrupt((_count, what) => resolve(what));
    close = () => interrupts.close();
  });
  return { cause, close: () => close() };
}
