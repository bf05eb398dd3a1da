import type { RunFlagValues } from "@tokenstorm/core";
import { planFromFlags } from "@tokenstorm/core";
import type { Command } from "commander";
import { withCluster } from "../cluster.js";
import { conductRun } from "../conduct-run.js";
import type { CommandContext } from "../context.js";
import { onDeniedHint } from "../denied-hint.js";
import { EXIT } from "../exit-codes.js";
import { createViewer, UI_KINDS, type UiKind } from "../live/viewer.js";
import { addNatsFlags, type NatsFlags, requireNats } from "../nats-options.js";
import { oneOf } from "../parse-arguments.js";
import { checkPlan, readPlanFile } from "../plan-file.js";
import { flagsFromPlanFolder, readPlanFiles } from "../plan-files.js";
import { DEFAULT_OUT } from "../run-directory.js";
import { showOutcome } from "../run-outcome.js";
import { addPlanFlags } from "./run.js";

interface SubmitFlags extends NatsFlags, RunFlagValues {
  readonly target?: readonly string[];
  readonly wait?: boolean;
  readonly ui: UiKind;
  readonly json?: boolean;
  readonly strict?: boolean;
  readonly out: string;
}

export function addSubmit(program: Command, context: CommandContext): void {
  const command = program
    .command("submit")
    .description("hand a plan to a coordinator, and leave it to it")
    .argument("<plan>", "YAML or JSON file; - is stdin");
  addPlanFlags(command);
  addNatsFlags(command.option("--wait", "wait for its end, and print the report"))
    .option("--out <dir>", "with --wait: where the report is kept", DEFAULT_OUT)
    .option("--ui <kind>", `with --wait: ${UI_KINDS.join(", ")}`, oneOf(UI_KINDS), "auto")
    .option("--json", "the run's id, or with --wait its report, as JSON")
    .option("--strict", "with --wait: a degraded result is exit code 110")
    .action((path: string, flags: SubmitFlags) => context.finish(submit(path, flags, { command, context })));
}

async function submit(
  path: string,
  flags: SubmitFlags,
  { command, context }: { readonly command: Command; readonly context: CommandContext },
): Promise<number> {
  const { terminal, env } = context;
  const written = await readPlanFile(path);
  const draft = planFromFlags(flags.target, flagsFromPlanFolder(flags, path), written);
  const { plan, files } = await readPlanFiles(checkPlan(draft), path);
  const access = requireNats(command, flags, env);
  const json = flags.json === true;
  return withCluster(access, "operator", async (cluster) => {
    if (flags.wait !== true) {
      const denied = onDeniedHint(cluster, (text) => terminal.say(text));
      const record = await cluster.operations.submit(plan, files);
      denied.close();
      const more = `submitted; watch it: tokenstorm tail ${record.id}`;
      await terminal.print(
        json ? JSON.stringify({ run: record.id, name: record.name }) : `${record.id} ${more}`,
      );
      return EXIT.ok;
    }
    const viewer = createViewer(flags.ui, terminal);
    try {
      const conducted = await conductRun(cluster, {
        plan,
        files,
        onUpdate: (update) => viewer.update(update),
        onNote: (text) => viewer.note(text),
      });
      viewer.close();
      const url = cluster.transport.server?.url ?? "";
      const { out, strict = false } = flags;
      return await showOutcome(conducted, { terminal, json, strict, out, place: { kind: "nats", url } });
    } finally {
      viewer.close();
    }
  });
}
