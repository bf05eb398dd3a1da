import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LoadError } from "@tokenstorm/core";
import { type Command, Option } from "commander";
import type { CommandContext } from "../context.js";
import { EXAMPLE_PLANS, type ExamplePlan } from "../example-plans.js";
import { EXIT } from "../exit-codes.js";
import { reasonOf } from "../plan-file.js";
import { makeFolder } from "../run-directory.js";

interface InitFlags {
  readonly target: string;
  readonly example?: string;
  readonly force?: boolean;
}

export function addInit(program: Command, context: CommandContext): void {
  program
    .command("init")
    .description("write a commented plan to edit")
    .argument("[file]", "where to write it; stdout by default")
    .option("--target <url>", "server to load", "http://localhost:8000")
    .addOption(
      new Option("--example <name>", "a plan for a kind of workload instead").choices(
        EXAMPLE_PLANS.map(({ name }) => name),
      ),
    )
    .option("--force", "write over a file that is there")
    .action((file: string | undefined, flags: InitFlags) => context.finish(init(file, flags, context)));
}

async function init(
  file: string | undefined,
  flags: InitFlags,
  { terminal }: CommandContext,
): Promise<number> {
  const example = EXAMPLE_PLANS.find(({ name }) => name === flags.example);
  const text = example === undefined ? planTemplate(flags.target) : exampleText(example, flags.target);
  if (file === undefined || file === "-") {
    await terminal.print(text.trimEnd());
    for (const { path } of example?.files ?? [])
      terminal.say(`it names ${path}, which init --example ${flags.example} FILE writes too`);
    return EXIT.ok;
  }
  await writeNew(file, text, flags.force === true);
  for (const { path, text: content } of example?.files ?? []) {
    const beside = join(dirname(file), path);
    await makeFolder(dirname(beside));
    await writeNew(beside, content, flags.force === true);
  }
  terminal.say(`wrote ${file}; next: tokenstorm validate ${file}, tokenstorm run ${file}`);
  return EXIT.ok;
}

function exampleText({ text }: ExamplePlan, target: string): string {
  return text.replace("urls: [http://127.0.0.1:8000]", `urls: [${JSON.stringify(target)}]`);
}

async function writeNew(file: string, text: string, isForced: boolean): Promise<void> {
  try {
    await writeFile(file, text, { flag: isForced ? "w" : "wx" });
  } catch (cause) {
    const isThere = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    throw new LoadError(
      "RESULTS_UNREADABLE",
      `${file} cannot be written: ${isThere ? "it is there already" : reasonOf(cause)}`,
      {
        cause,
        ...(isThere ? { hint: "--force writes over it" } : {}),
      },
    );
  }
}

/** A plan that runs as it stands; what is commented out shows the rest. */
export function planTemplate(target: string): string {
  return `# A test plan of tokenstorm. Check it: tokenstorm validate FILE. Run it: tokenstorm run FILE
# Durations are milliseconds, or texts such as 500ms, 30s, 2m.
version: 1
name: ladder

target:
  urls: [${JSON.stringify(target)}]
  # model: the-model        # found by /v1/models where the server has just one
  # api: openai-completions # openai-chat by default
  # apiKeyEnv: OPENAI_KEY   # name of a variable on the agents; never the key itself
  # gpus: 8                 # for output tokens per second per GPU

workload:
  inputTokens: 512
  outputTokens: 128
  # inputTokens: { kind: lognormal, median: 400, sigma: 0.7, max: 8000 }
  # prompts: shared-prefix  # or identical; unique by default, so that no repeat measures the prefix cache

# Closed load: each user sends, waits for the answer, and sends again.
# A level is measured for durationMs, after its users have come (rampUpMs) and settled (settleMs).
load:
  kind: users
  stages:
    - { users: 1, durationMs: 30s }
    - { users: 10, durationMs: 30s }
    - { users: 100, durationMs: 60s }

# Open load instead: requests arrive at a rate, whether or not the server keeps up.
# load:
#   kind: arrival-rate
#   spacing: poisson        # or even
#   stages:
#     - { fromRps: 1, toRps: 20, durationMs: 60s }
#     - { fromRps: 20, durationMs: 2m }

# agents:
#   min: 4                  # wait for so many
#   labels: { zone: a }     # only those with this label

# A run whose thresholds fail ends with exit code 99.
thresholds: []
#   - ttft.p99 < 2s
#   - success.rate >= 0.999
`;
}
