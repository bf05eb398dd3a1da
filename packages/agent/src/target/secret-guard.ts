import { resolve } from "node:path";
import { LoadError, type TestPlan } from "@tokenstorm/core";
import type { TargetFactory } from "./target.js";

/** Which of its variables and files an agent lends to plans: whoever started it says so, and no plan can change it. */
export interface SecretGuard {
  /** Names of variables and paths of files; none lends everything but what is reserved. */
  readonly allowed: readonly string[];
  /** Never lent, whatever is allowed: what the agent itself is let in by. */
  readonly reserved: readonly string[];
  /** For messages. */
  readonly agent: string;
}

/** What the processes of a cluster use among themselves. */
const OURS = /^(NATS|TOKENSTORM)_/;

/**
 * A target that is made for a plan alone whose key this agent lends. A plan names both the key and the server that gets
 * it, so without this whoever may submit could have any variable or file of any agent sent to a server of his own.
 */
export function guardSecrets(targets: TargetFactory, guard: SecretGuard): TargetFactory {
  return (options) => {
    requireLent(options.plan.target, guard);
    return targets(options);
  };
}

/** Throws AGENT_NOT_READY, naming agent and secret. */
export function requireLent(
  { apiKeyEnv, apiKeyFile }: Pick<TestPlan["target"], "apiKeyEnv" | "apiKeyFile">,
  guard: SecretGuard,
): void {
  if (apiKeyEnv !== undefined && !isVariableLent(apiKeyEnv, guard))
    throw notLent(`the environment variable ${apiKeyEnv}`, guard);
  if (apiKeyFile !== undefined && !isFileLent(apiKeyFile, guard))
    throw notLent(`the file ${apiKeyFile}`, guard);
}

function isVariableLent(name: string, { allowed, reserved }: SecretGuard): boolean {
  if (OURS.test(name) || reserved.includes(name)) return false;
  return allowed.length === 0 || allowed.includes(name);
}

function isFileLent(file: string, { allowed, reserved }: SecretGuard): boolean {
  const isAmong = (list: readonly string[]) => list.some((one) => resolve(one) === resolve(file));
  // Behind these stand the variables again, and those of other processes.
  if (isAmong(reserved) || /^\/(proc|sys|dev)\//.test(resolve(file))) return false;
  return allowed.length === 0 || isAmong(allowed);
}

function notLent(what: string, { agent, allowed }: SecretGuard): LoadError {
  const lent =
    allowed.length === 0 ? "it lends plans no secret of its own" : `it lends plans ${allowed.join(", ")}`;
  return new LoadError("AGENT_NOT_READY", `agent ${agent} does not give ${what} to a plan: ${lent}`, {
    hint: "name another one in the plan (apiKeyEnv, apiKeyFile), or start the agent with --allow-secret",
  });
}
