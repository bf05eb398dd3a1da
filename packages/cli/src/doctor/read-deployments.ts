import { LoadError, parseDeployments, type StatedDeployment } from "@tokenstorm/core";
import { readPlanFile } from "../plan-file.js";

/** Reads a deployment file, JSON or YAML; `-` is stdin. Throws PLAN_INVALID (exit 104). */
export async function readDeployments(path: string): Promise<readonly StatedDeployment[]> {
  const name = path === "-" ? "stdin" : path;
  const hint = "docs/doctor.md has the form; plans/study/data/deployments.json is an example";
  let content: unknown;
  try {
    content = await readPlanFile(path);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    const message = error.message.replace("the plan ", "the deployment file ");
    throw new LoadError(error.code, message, { hint, cause: error.cause });
  }
  const parsed = parseDeployments(content, name);
  if (parsed.kind === "deployments") return parsed.deployments;
  throw new LoadError("PLAN_INVALID", `the deployment file ${name} is not understood: ${parsed.message}`, {
    hint,
  });
}
