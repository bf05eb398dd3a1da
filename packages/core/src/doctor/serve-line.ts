import { imagePlatform } from "./container-image.js";
import { dockerRun } from "./docker-line.js";
import type { ArgValue, StatedDeployment } from "./stated-deployment.js";
import { knownFlag } from "./vllm-flags.js";

export type ParsedServeLine =
  | { readonly kind: "deployment"; readonly deployment: StatedDeployment }
  | { readonly kind: "problem"; readonly message: string };

const NAME = "the command line";
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/;
/** Words before the command that change nothing of what it says. */
const WRAPPERS = new Set(["sudo", "env", "nohup", "exec", "time", "export"]);

/**
 * Understands `[K=V ...] vllm serve MODEL --flag value ...`, `python -m vllm.entrypoints.openai.api_server ...` and
 * `docker run ... IMAGE ...` (podman too), as words or as one quoted line. `env` adds variables, and goes before those
 * of the line. Never throws: what cannot be understood is a problem for a person.
 */
export function parseServeLine(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ParsedServeLine {
  const split = words.length === 1 ? splitWords(words[0] ?? "") : words;
  const variables = new Map<string, string>();
  let at = 0;
  for (; at < split.length; at += 1) {
    const word = split[at] ?? "";
    const assignment = ASSIGNMENT.exec(word);
    if (assignment !== null) variables.set(assignment[1] ?? "", assignment[2] ?? "");
    else if (!WRAPPERS.has(word)) break;
  }
  const command = baseName(split[at] ?? "");
  const rest = split.slice(at + 1);
  if (command === "docker" || command === "podman") {
    const run = dockerRun(rest);
    if (run.kind === "problem") return run;
    for (const [name, value] of Object.entries(env)) run.env.set(name, value);
    const inside = insideImage(run.args);
    if (inside === undefined) return notUnderstood(run.args[0]);
    return deployment(inside, { ...run, env: run.env });
  }
  for (const [name, value] of Object.entries(env)) variables.set(name, value);
  const args = serveArgs(split.slice(at));
  if (args === undefined) return notUnderstood(split[at]);
  return deployment(args, { env: variables, passedOn: [], hasEnvFile: false, image: undefined });
}

function notUnderstood(word: string | undefined): ParsedServeLine {
  const what =
    word === undefined ? "nothing follows --" : `"${word}" is not understood as the start of a server`;
  return {
    kind: "problem",
    message: `${what}: write -- vllm serve MODEL ..., or -- docker run ... IMAGE ...`,
  };
}

const baseName = (word: string): string => word.split("/").at(-1) ?? word;

/** The words after `vllm serve`, or after the module that serves; undefined where it is neither. */
function serveArgs(words: readonly string[]): readonly string[] | undefined {
  const [command = "", second = ""] = words;
  if (baseName(command) === "vllm") return second === "serve" ? words.slice(2) : undefined;
  if (/^python[\d.]*$/.test(baseName(command))) {
    const at = words.indexOf("-m");
    return at > 0 && words[at + 1] === "vllm.entrypoints.openai.api_server" ? words.slice(at + 2) : undefined;
  }
  return undefined;
}

/** The image's own entry point serves already; its words may also name a command. */
function insideImage(words: readonly string[]): readonly string[] | undefined {
  const [first = ""] = words;
  if (baseName(first) === "vllm" || /^python[\d.]*$/.test(baseName(first))) return serveArgs(words);
  if (first === "serve") return words.slice(1);
  const shell = /^(ba)?sh$/.test(baseName(first)) ? words.at(-1) : undefined;
  if (shell !== undefined && words.length === 3 && /^-l?c$/.test(words[1] ?? ""))
    return serveArgs(splitWords(shell));
  return words;
}

interface Around {
  readonly env: ReadonlyMap<string, string>;
  readonly passedOn: readonly string[];
  readonly hasEnvFile: boolean;
  readonly image: string | undefined;
}

function deployment(words: readonly string[], around: Around): ParsedServeLine {
  const { args, positional, unknownFlags, problem } = readFlags(words);
  if (problem !== undefined) return { kind: "problem", message: problem };
  const [first, ...more] = positional;
  if (more.length > 0)
    return { kind: "problem", message: `"${more[0]}" stands where no value is expected, after ${first}` };
  const named = args.get("--model");
  const model = first ?? (typeof named === "string" ? named : undefined);
  const usesRocm = [...around.env.keys()].some((name) => /ROCM|AITER/.test(name));
  const platform = imagePlatform(around.image ?? "") ?? (usesRocm ? ("rocm" as const) : undefined);
  return {
    kind: "deployment",
    deployment: {
      name: NAME,
      from: NAME,
      model,
      image: around.image,
      ...(platform === undefined ? {} : { platform }),
      isWhole: true,
      args,
      unknownFlags,
      env: around.env,
      passedOn: around.passedOn,
      hasEnvFile: around.hasEnvFile,
      host: new Map(),
    },
  };
}

interface ReadFlags {
  readonly args: ReadonlyMap<string, ArgValue>;
  readonly positional: readonly string[];
  readonly unknownFlags: readonly string[];
  readonly problem: string | undefined;
}

function readFlags(words: readonly string[]): ReadFlags {
  const args = new Map<string, ArgValue>();
  const positional: string[] = [];
  const unknownFlags: string[] = [];
  let problem: string | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (!isFlag(word)) {
      positional.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    const own = equals < 0 ? undefined : word.slice(equals + 1);
    const known = knownFlag(name) ?? knownFlag(name.split(".")[0] ?? name);
    const next = words[at + 1];
    const hasNext = own === undefined && next !== undefined && !isFlag(next);
    if (known === undefined) {
      unknownFlags.push(name);
      // Whether it takes a value is not known either; what follows it is more likely one than a second model.
      if (hasNext) at += 1;
    } else if (known.kind === "switch") {
      args.set(known.flag, own === undefined ? !known.isNegated : own.toLowerCase() !== "false");
    } else if (own !== undefined || hasNext) {
      if (own === undefined) at += 1;
      args.set(known.flag, own ?? next ?? "");
      while (known.kind === "values" && words[at + 1] !== undefined && !isFlag(words[at + 1] ?? "")) at += 1;
    } else problem ??= `${name} has no value`;
  }
  return { args, positional, unknownFlags, problem };
}

/** A negative number is a value. */
const isFlag = (word: string): boolean => /^--?[A-Za-z]/.test(word);

/** As a shell splits words: quotes, backslashes, lines continued by a backslash. Nothing is expanded. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const letter = line[at] ?? "";
    if (quote !== undefined) {
      if (letter === quote) quote = undefined;
      else if (letter === "\\" && quote === '"' && /["\\$`]/.test(line[at + 1] ?? ""))
        word += line[++at] ?? "";
      else word += letter;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
      word ??= "";
    } else if (letter === "\\") {
      at += 1;
      if (line[at] !== "\n") word = (word ?? "") + (line[at] ?? "");
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + letter;
  }
  if (word !== undefined) words.push(word);
  return words;
}
