import type { TestPlan } from "@tokenstorm/core";
import { formatUs, plural, printable, workloadWords } from "@tokenstorm/report";
import type { Command } from "commander";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { checkPlan, readPlanFile } from "../plan-file.js";
import { readPlanFiles } from "../plan-files.js";

interface ValidateFlags {
  readonly json?: boolean;
}

export function addValidate(program: Command, context: CommandContext): void {
  program
    .command("validate")
    .description("check a plan: every problem at once")
    .argument("<plan>", "YAML or JSON file; - is stdin")
    .option("--json", "the plan with its defaults, as JSON")
    .action((path: string, flags: ValidateFlags) => context.finish(validate(path, flags, context)));
}

async function validate(path: string, flags: ValidateFlags, { terminal }: CommandContext): Promise<number> {
  const { plan } = await readPlanFiles(checkPlan(await readPlanFile(path)), path);
  await terminal.print(flags.json === true ? JSON.stringify(plan, null, 2) : `ok: ${describePlan(plan)}`);
  return EXIT.ok;
}

/** What a plan will do, in a few lines. */
export function describePlan(plan: TestPlan): string {
  const { target, load, agents } = plan;
  const urls = target.urls.map(printable).join(", ");
  const lines = [
    `${plan.name === undefined ? "plan" : printable(plan.name)} for ${urls}, ${target.api}`,
    ...loadLines(load),
    ...workloadWords(plan).map(([name, value]) => `${name}: ${value}`),
    `at least ${plural(agents.min, "agent")}, ${plural(plan.thresholds.length, "threshold")}`,
  ];
  return lines.join("\n    ");
}

function loadLines(load: TestPlan["load"]): string[] {
  if (load.kind === "users") {
    return load.stages.map((stage) => {
      const bound =
        stage.durationMs === undefined
          ? plural(stage.requests ?? 0, "request")
          : `measured for ${formatUs(stage.durationMs * 1000)}`;
      return `${plural(stage.users, "user")}, ${bound}`;
    });
  }
  if (load.kind === "trace") {
    const speed = load.speed === 1 ? "" : `, ${load.speed} times as fast`;
    const length = formatUs((load.lengthMs ?? 0) * 1000);
    return [`${plural(load.requests ?? 0, "request")} of ${printable(load.file)} within ${length}${speed}`];
  }
  return load.stages.map((stage) => {
    const to = stage.toRps === undefined || stage.toRps === stage.fromRps ? "" : ` to ${stage.toRps}`;
    return `${stage.fromRps}${to} requests/s (${load.spacing}) for ${formatUs(stage.durationMs * 1000)}`;
  });
}
