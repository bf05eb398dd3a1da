/** How a flag's text is read. `list` ones may be repeated; a `switch` has no value. */
export type FlagKind =
  | "text"
  | "number"
  | "duration"
  | "length"
  | "levels"
  | "rates"
  | "pair"
  | "list"
  | "switch";

/** A flag of `run`, and the key of the plan that it is another spelling for. */
export interface RunFlag {
  /** As commander spells the option's attribute: `inputTokens` for --input-tokens. */
  readonly name: string;
  readonly flag: string;
  /** What stands for the value in a help text; null for a switch. */
  readonly placeholder: string | null;
  readonly kind: FlagKind;
  /** Key of the plan; `[]` means every stage. */
  readonly key: string;
  readonly help: string;
}

/**
 * Every flag of `run` that makes a plan; the command line defines its options from this table. `--target URL` (may be
 * repeated) is target.urls.
 */
export const RUN_FLAGS = [
  flag("users", "levels", "load.stages[].users", "<list>", "users, a held level for each: 1,10,100"),
  flag(
    "rps",
    "rates",
    "load.stages[].fromRps",
    "<list>",
    "arrivals per second, for each stage: 10,50 or a slope 10-50",
  ),
  flag(
    "duration",
    "duration",
    "load.stages[].durationMs",
    "<time>",
    "measured length of each stage, such as 2m",
  ),
  flag(
    "requests",
    "number",
    "load.stages[].requests",
    "<n>",
    "instead of --duration: exactly so many requests in each stage",
  ),
  flag(
    "rampUp",
    "duration",
    "load.stages[].rampUpMs",
    "<time>",
    "time over which added users start (default: 1s per 50)",
  ),
  flag(
    "settle",
    "duration",
    "load.stages[].settleMs",
    "<time>",
    "time after the ramp before measuring begins",
  ),
  flag(
    "think",
    "duration",
    "load.thinkMs",
    "<time>",
    "pause of a user between an answer and its next request",
  ),
  flag(
    "trace",
    "text",
    "load.file",
    "<file>",
    "requests at the times of a trace: Mooncake JSONL, or Azure CSV",
  ),
  flag("speed", "number", "load.speed", "<x>", "so many times faster than the trace"),
  flag("spacing", "text", "load.spacing", "<kind>", "distances between arrivals: poisson or even"),
  flag(
    "maxInFlight",
    "number",
    "load.maxInFlight",
    "<n>",
    "bound of an arrival rate; due requests over it are dropped",
  ),
  flag(
    "inputTokens",
    "length",
    "workload.inputTokens",
    "<length>",
    "prompt length: 512, uniform:100-500, normal:512,64, lognormal:512,0.5",
  ),
  flag("outputTokens", "length", "workload.outputTokens", "<length>", "generated length, in the same way"),
  flag("prompts", "text", "workload.prompts", "<kind>", "unique, shared-prefix or identical"),
  flag(
    "sharedPrefixTokens",
    "number",
    "workload.sharedPrefixTokens",
    "<n>",
    "length of the common beginning",
  ),
  flag("dataset", "text", "workload.file", "<file>", "text from a file: JSONL, or a prompt a line (.txt)"),
  flag("images", "number", "workload.images.count", "<n>", "images of each request"),
  flag("imageSize", "text", "workload.images.size", "<WxH>", "their size in pixels, such as 1024x768"),
  flag("respectEos", "switch", "workload.ignoreEos", null, "let the model stop by itself"),
  flag("temperature", "number", "workload.temperature", "<t>", "sampling temperature"),
  flag("api", "text", "target.api", "<api>", "chat or completions"),
  flag("model", "text", "target.model", "<name>", "model (default: the one that /v1/models names)"),
  flag(
    "apiKeyEnv",
    "text",
    "target.apiKeyEnv",
    "<name>",
    "environment variable, on the agents, that holds the API key",
  ),
  flag("apiKeyFile", "text", "target.apiKeyFile", "<path>", "file, on the agents, that holds the API key"),
  flag("header", "pair", "target.headers", "<name: value>", "further request header (may be repeated)"),
  flag("insecure", "switch", "target.tls.insecureSkipVerify", null, "accept any certificate"),
  flag("reader", "text", "target.reader", "<name>", "what reads the answers: auto, undici or raw"),
  flag("gpus", "number", "target.gpus", "<n>", "GPUs behind the target, for rates per GPU"),
  flag("metricsUrl", "list", "metricsUrls", "<url>", "the target's Prometheus metrics (may be repeated)"),
  flag("agents", "number", "agents.min", "<n>", "start when so many agents are there"),
  flag("agentsWait", "duration", "agents.waitMs", "<time>", "how long to wait for them"),
  flag("warmUpRequests", "number", "warmUp.requests", "<n>", "requests before the first stage; 0 is none"),
  flag(
    "threshold",
    "list",
    "thresholds",
    "<expression>",
    "what the result must meet: 'ttft.p99 < 500ms'; with abortOnFail behind it, it ends the run (may be repeated)",
  ),
  flag("grace", "duration", "gracePeriodMs", "<time>", "how long requests are followed after their stage"),
  flag("seed", "number", "seed", "<n>", "of every random choice but the salt"),
  flag("salt", "text", "salt", "<text>", "replays the salt of a run"),
  flag("name", "text", "name", "<name>", "name of the run"),
  flag("set", "pair", "", "<key=value>", "any key of the plan: timeouts.ttftMs=30s (may be repeated)"),
] as const satisfies readonly RunFlag[];

export type RunFlagName = (typeof RUN_FLAGS)[number]["name"];

/** What the command line read, by the flag's name. Names that are not in the table are passed over. */
export type RunFlagValues = Readonly<
  Partial<Record<RunFlagName, string | boolean | readonly string[] | undefined>>
>;

function flag<Name extends string>(
  name: Name,
  kind: FlagKind,
  key: string,
  placeholder: string | null,
  help: string,
): RunFlag & { readonly name: Name } {
  return {
    name,
    kind,
    key,
    placeholder,
    help,
    flag: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  };
}
