import { createWireTarget, type WireTarget } from "@tokenstorm/agent";
import {
  CHECK_LIMITS,
  type Clock,
  countFindings,
  type DeploymentDiagnosis,
  type DoctorReport,
  diagnoseDeployment,
  type HostCheck,
  isLoopbackHost,
  judgeHost,
  type Platform,
  parseServeLine,
  planFromFlags,
  type SeenServer,
  type StatedDeployment,
} from "@tokenstorm/core";
import { systemClock } from "@tokenstorm/protocol";
import { renderConformance, renderDoctor } from "@tokenstorm/report";
import { type Command, InvalidArgumentError, Option } from "commander";
import { newId } from "../cluster.js";
import { runConformance } from "../conformance/run-suite.js";
import type { CommandContext } from "../context.js";
import { type AskedServer, askServer } from "../doctor/ask-server.js";
import { lookAtCluster } from "../doctor/look-at-cluster.js";
import { gpuHostSettings, lookAtHost } from "../doctor/look-at-host.js";
import { readDeployments } from "../doctor/read-deployments.js";
import { EXIT } from "../exit-codes.js";
import { addNatsFlags, type NatsFlags, natsAccess } from "../nats-options.js";
import { count, oneOf } from "../parse-arguments.js";
import { checkPlan } from "../plan-file.js";

interface DoctorFlags extends NatsFlags {
  readonly env?: Readonly<Record<string, string>>;
  readonly deployment?: string;
  readonly engineVersion?: string;
  readonly platform?: Platform;
  readonly gpus?: number;
  readonly apiKeyEnv?: string;
  readonly insecure?: boolean;
  readonly users: number;
  /** False with --no-host. */
  readonly host: boolean;
  readonly conformance?: string;
  readonly model?: string;
  readonly evidence?: string;
  readonly strict?: boolean;
  readonly json?: boolean;
}

const HELP = `
Without a URL or a command line only this host is looked at, and the agents where a NATS server is named.
  tokenstorm doctor http://host:8000
  tokenstorm doctor -- VLLM_ROCM_USE_AITER=1 vllm serve deepseek-ai/DeepSeek-V3.2 --block-size 1
  tokenstorm doctor http://host:8000 --deployment deployments.yaml
  tokenstorm doctor --conformance http://host:8000 --evidence bytes/

Every answer says whether it rests on what was seen, on what you stated, or is unknown. docs/doctor.md has every rule.

--conformance sends some sixty small requests to a server that nobody else uses, and holds every answer against the
wire contract of docs/conformance.md.

Exit codes: 0 nothing is wrong; 99 an error was found, or a check of --conformance failed; 98 with --strict, a warning,
something that cannot be told, or a check that was skipped;
2 wrong use; 104 the deployment file cannot be read; 1 any other error.`;

export function addDoctor(program: Command, context: CommandContext): void {
  const command = program
    .command("doctor")
    .description("check a server, a command line that would start one, this host, and the agents")
    .argument("[url]", "running server, without /v1")
    .argument("[command...]", "after --: vllm serve ..., or docker run ..., perhaps with K=V before it")
    .option("--env <K=V>", "variable of the server's environment (may be repeated)", variable)
    .option("--deployment <file>", "deployments of a JSON or YAML file; - is stdin")
    .option("--engine-version <version>", "vLLM's, where it is not running yet")
    .addOption(
      new Option("--platform <name>", "of the server: rocm or cuda").argParser(oneOf(["rocm", "cuda"])),
    )
    .option("--gpus <number>", "GPUs that the server has", count)
    .option("--api-key-env <name>", "environment variable with the server's key")
    .option("--insecure", "do not check the server's certificate")
    .option(
      "--users <number>",
      "requests that are to be in flight together, for the checks of hosts",
      count,
      1000,
    )
    .option("--no-host", "leave out the checks of this host")
    .option("--conformance <url>", "hold a running server against the wire contract, and nothing else")
    .option("--model <name>", "model to ask for, with --conformance; the first that is served by default")
    .option("--evidence <folder>", "with --conformance, where the bytes of failing exchanges go");
  addNatsFlags(command)
    .option("--strict", "exit with 98 for a warning, and for what cannot be told")
    .option("--json", "as JSON")
    .addHelpText("after", HELP)
    .action((url: string | undefined, words: readonly string[], flags: DoctorFlags) => {
      const asked = argumentsOf(url, words);
      return context.finish(doctor({ ...asked, flags, command, context }));
    });
}

/** What stands before -- and what behind it, commander gives as one list: a URL is told by its looks. */
function argumentsOf(
  first: string | undefined,
  rest: readonly string[],
): { readonly url: string | undefined; readonly words: readonly string[] } {
  if (first === undefined || /^https?:\/\//.test(first)) return { url: first, words: rest };
  return { url: undefined, words: [first, ...rest] };
}

interface DoctorCall {
  readonly url: string | undefined;
  readonly words: readonly string[];
  readonly flags: DoctorFlags;
  readonly command: Command;
  readonly context: CommandContext;
}

async function doctor(call: DoctorCall): Promise<number> {
  const { flags, context, url, command } = call;
  if (flags.conformance !== undefined) {
    if (url !== undefined || call.words.length > 0 || flags.deployment !== undefined)
      return command.error("error: --conformance URL stands alone: it judges no deployment", {
        exitCode: EXIT.usage,
      });
    return conformance(flags.conformance, call);
  }
  if (flags.evidence !== undefined || flags.model !== undefined)
    return command.error("error: --evidence and --model go with --conformance URL", { exitCode: EXIT.usage });
  const stated = await statedDeployments(call);
  const asked = url === undefined ? undefined : await askTarget(url, call);
  const host: HostCheck[] = flags.host ? judgeHost(lookAtHost(context.env), flags.users) : [];
  const access = natsAccess(flags, context.env);
  if (access !== undefined) host.push(...(await lookAtCluster(access, flags.users)));
  if (asked?.kind === "unreachable" && url !== undefined)
    host.unshift({ id: "target", where: url, outcome: "error", sentence: asked.why });
  const deployments = diagnose(stated, asked, url);
  const report: DoctorReport = {
    schemaVersion: 1,
    deployments,
    host,
    targetNotes: asked?.kind === "answered" ? asked.notes : [],
    counts: countFindings({ deployments, host }),
    limits: CHECK_LIMITS,
  };
  const { stdout } = context.terminal;
  await context.terminal.print(
    flags.json === true
      ? JSON.stringify(report, null, 2)
      : renderDoctor(report, { width: stdout.width(), colour: stdout.colour }),
  );
  return exitCode(report, flags.strict === true);
}

function exitCode({ counts }: DoctorReport, isStrict: boolean): number {
  if (counts.errors > 0) return EXIT.thresholdsFailed;
  return isStrict && counts.warnings + counts.unknown > 0 ? EXIT.inconclusive : EXIT.ok;
}

/** Of a server that runs, a person may add what it does not tell. */
const NOTHING_STATED: StatedDeployment = {
  name: "what you stated",
  from: "doctor's own options",
  isWhole: false,
  args: new Map(),
  unknownFlags: [],
  env: new Map(),
  passedOn: [],
  hasEnvFile: false,
  host: new Map(),
};

async function statedDeployments({
  flags,
  words,
  command,
  url,
}: DoctorCall): Promise<readonly StatedDeployment[]> {
  const stated: StatedDeployment[] = [];
  if (words.length > 0) {
    const parsed = parseServeLine(words, flags.env);
    if (parsed.kind === "problem") return command.error(`error: ${parsed.message}`, { exitCode: EXIT.usage });
    stated.push(parsed.deployment);
  } else if (flags.deployment === undefined) {
    const { env, engineVersion, platform, gpus } = flags;
    const isStated = [env, engineVersion, platform, gpus].some((one) => one !== undefined);
    if (isStated && url === undefined)
      command.error(
        "error: --env and its like describe a server: name its URL, or write a command line after --",
        {
          exitCode: EXIT.usage,
        },
      );
    if (isStated) stated.push({ ...NOTHING_STATED, env: new Map(Object.entries(env ?? {})) });
  } else if (flags.env !== undefined)
    command.error("error: --env does not go with --deployment: its entries have an env of their own", {
      exitCode: EXIT.usage,
    });
  if (flags.deployment !== undefined) stated.push(...(await readDeployments(flags.deployment)));
  return stated.map((one) => ({
    ...one,
    ...(flags.engineVersion === undefined ? {} : { engineVersion: flags.engineVersion }),
    ...(flags.platform === undefined ? {} : { platform: flags.platform }),
    ...(flags.gpus === undefined ? {} : { gpus: flags.gpus }),
  }));
}

async function askTarget(url: string, call: DoctorCall): Promise<AskedServer> {
  return askServer(wireTarget(url, call, systemClock()));
}

function wireTarget(url: string, { flags, context }: DoctorCall, clock: Clock): WireTarget {
  const { apiKeyEnv, insecure } = flags;
  const plan = checkPlan(
    planFromFlags(url, {
      ...(apiKeyEnv === undefined ? {} : { apiKeyEnv }),
      ...(insecure === undefined ? {} : { insecure }),
    }),
  );
  return createWireTarget(plan, { env: context.env, clock });
}

async function conformance(url: string, call: DoctorCall): Promise<number> {
  const { flags, context } = call;
  const { terminal } = context;
  const clock = systemClock();
  const report = await runConformance({
    target: wireTarget(url, call, clock),
    clock,
    salt: newId(8),
    ...(flags.model === undefined ? {} : { model: flags.model }),
    ...(flags.evidence === undefined ? {} : { evidenceFolder: flags.evidence }),
    onStep: (what) => {
      if (terminal.stderr.isTty) terminal.say(`checking ${what}`);
    },
  });
  const { stdout } = terminal;
  await terminal.print(
    flags.json === true
      ? JSON.stringify(report, null, 2)
      : renderConformance(report, { width: stdout.width(), colour: stdout.colour }),
  );
  if (report.counts.failed > 0) return EXIT.thresholdsFailed;
  return flags.strict === true && report.counts.skipped > 0 ? EXIT.inconclusive : EXIT.ok;
}

function diagnose(
  stated: readonly StatedDeployment[],
  asked: AskedServer | undefined,
  url: string | undefined,
): readonly DeploymentDiagnosis[] {
  const seen = asked?.kind === "answered" ? asked.server : undefined;
  // What this host is set to says something of the server only where it is the server's.
  const isHere = url === undefined || isLoopbackHost(new URL(url).hostname.replace(/^\[|\]$/g, ""));
  const seenHost = isHere ? gpuHostSettings() : undefined;
  if (seen === undefined) return stated.map((one) => diagnoseDeployment(one.name, { stated: one, seenHost }));
  const meant = ofThatModel(stated, seen);
  if (meant.length === 0) return [diagnoseDeployment(seen.url, { seen, seenHost })];
  return meant.map((one) =>
    diagnoseDeployment(`${seen.url} and ${one.name}`, { stated: one, seen, seenHost }),
  );
}

/** A file may describe many servers; of several that fit the first is meant, which is the one without a variant. */
function ofThatModel(stated: readonly StatedDeployment[], seen: SeenServer): readonly StatedDeployment[] {
  if (stated.length < 2) return stated;
  const names = seen.models.flatMap(({ id, root }) => [id, root]);
  const fitting = stated.filter(({ model }) => names.includes(model));
  return fitting.length === 0 ? stated.slice(0, 1) : fitting.slice(0, 1);
}

function variable(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("write NAME=VALUE, such as VLLM_ROCM_USE_AITER=1.");
  return { ...before, [name]: value ?? "" };
}
