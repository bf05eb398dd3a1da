import { parseTargetRule, type TargetRule } from "@tokenstorm/core";
import { type Command, InvalidArgumentError } from "commander";

/** Where this process may connect to for a plan; whoever starts it says so, no plan can. */
export interface AllowTargetFlags {
  readonly allowTarget?: readonly TargetRule[];
}

/** The same by commas. */
export const ALLOW_TARGET_ENV = "TOKENSTORM_ALLOW_TARGET";

export function addAllowTargetFlag(command: Command, what: string): Command {
  return command.option(
    "--allow-target <rule>",
    `${what}: host, host:port, *.lab.example, 10.0.0.0/8, [2001:db8::]/32, also behind http:// or https://; ` +
      `may be repeated; without one, anywhere (${ALLOW_TARGET_ENV}, by commas)`,
    collectRule,
  );
}

/** Flags win over the environment. What is no rule there is wrong use, as it is in a flag. */
export function allowedTargets(
  command: Command,
  flags: AllowTargetFlags,
  env: Readonly<Record<string, string | undefined>>,
): readonly TargetRule[] {
  if (flags.allowTarget !== undefined) return flags.allowTarget;
  const rules = rulesFromEnv(env);
  return "problem" in rules ? command.error(`error: ${rules.problem}`, { exitCode: 2 }) : rules;
}

/** Unset and empty are the same. A variable that is set, and names no rule, must not open what it was to bound. */
export function rulesFromEnv(
  env: Readonly<Record<string, string | undefined>>,
): readonly TargetRule[] | { readonly problem: string } {
  const text = env[ALLOW_TARGET_ENV] ?? "";
  if (text === "") return [];
  const rules: TargetRule[] = [];
  for (const part of text.split(",")) {
    const rule = parseTargetRule(part);
    if ("problem" in rule) return { problem: `${ALLOW_TARGET_ENV}: "${shown(part)}" ${rule.problem}` };
    rules.push(rule);
  }
  return rules;
}

/** For a child process, or a line to paste. */
export function allowTargetArgs(rules: readonly TargetRule[]): string[] {
  return rules.flatMap(({ text }) => ["--allow-target", text]);
}

function collectRule(text: string, before: readonly TargetRule[] = []): readonly TargetRule[] {
  const rule = parseTargetRule(text);
  if ("problem" in rule) throw new InvalidArgumentError(`it ${rule.problem}`);
  return [...before, rule];
}

/** What stands before an @ may be a password. */
function shown(text: string): string {
  return text.trim().replace(/[^\s/]+@/g, "***@");
}
