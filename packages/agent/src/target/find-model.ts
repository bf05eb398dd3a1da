import { assert, LoadError } from "@tokenstorm/core";
import { type CallAnswer, call, type Line } from "./call.js";
import { quoted } from "./quoted.js";
import type { ApiKey } from "./request-headers.js";

/** Names listed in a message; a gateway may serve hundreds. */
const NAMES_SHOWN = 20;

/**
 * The model that every URL serves: the one asked for, or the only one there is. Throws LoadError: TARGET_UNREACHABLE,
 * SECRET_MISSING where a key is wanted and none was named, AGENT_NOT_READY.
 */
export async function findModel(
  lines: readonly Line[],
  options: { readonly model: string | undefined; readonly key: ApiKey | null },
): Promise<string> {
  const lists = await inTurn(lines.map((line) => servedModels(line, options.key)));
  let found = options.model;
  for (const [at, served] of lists.entries()) {
    const url = lines[at]?.endpoint.url ?? "";
    found ??= onlyModel(url, served);
    if (served !== null && !served.includes(found)) throw unknownModel(url, found, served);
  }
  assert(found !== undefined, "a plan without URLs");
  return found;
}

/** Waits for all, so that nothing goes on behind an error; throws the first in the order of the list. */
export async function inTurn<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/** What a refused key means, naming where it came from and never what it is. */
export function keyRefused(url: string, status: number, key: ApiKey | null): LoadError {
  if (key === null) {
    return new LoadError(
      "SECRET_MISSING",
      `${url} wants an API key (status ${status}), and the plan names none`,
      {
        hint: "name the variable that holds it: --api-key-env NAME (target.apiKeyEnv)",
      },
    );
  }
  return new LoadError("AGENT_NOT_READY", `${url} refuses the API key of ${key.source} (status ${status})`, {
    hint: "is it the key of this server?",
  });
}

/** Null where the server has no such list. */
async function servedModels(line: Line, key: ApiKey | null): Promise<readonly string[] | null> {
  const { url, basePath } = line.endpoint;
  const answer = await call(line, "/v1/models");
  if (answer.status === 401 || answer.status === 403) throw keyRefused(url, answer.status, key);
  if (answer.status === 404 && basePath.endsWith("/v1")) {
    throw new LoadError("TARGET_UNREACHABLE", `${url} has no /v1/models below it`, {
      hint: "a target's URL goes without /v1",
    });
  }
  if (answer.status === 404 || answer.status === 405 || answer.status === 501) return null;
  const names = answer.status === 200 ? modelNames(answer) : undefined;
  if (names !== undefined) return names;
  throw new LoadError(
    "TARGET_UNREACHABLE",
    `${url} answered /v1/models with status ${answer.status} and no list of models: ${quoted(answer.text)}`,
    { hint: "is this an OpenAI-compatible server?" },
  );
}

function modelNames(answer: CallAnswer): readonly string[] | undefined {
  try {
    const parsed: { readonly data?: unknown } | null = JSON.parse(answer.text);
    if (!Array.isArray(parsed?.data)) return undefined;
    const models: readonly ({ readonly id?: unknown } | null)[] = parsed.data;
    return models.map((model) => model?.id).filter((id) => typeof id === "string");
  } catch {
    return undefined;
  }
}

function onlyModel(url: string, served: readonly string[] | null): string {
  const [only] = served ?? [];
  if (only !== undefined && served?.length === 1) return only;
  const what =
    served === null
      ? "has no list of models"
      : served.length === 0
        ? "serves no model"
        : `serves ${listed(served)}`;
  throw new LoadError("AGENT_NOT_READY", `${url} ${what}, and the plan names none`, {
    hint: "choose one: --model NAME (target.model)",
  });
}

function unknownModel(url: string, model: string, served: readonly string[]): LoadError {
  return new LoadError(
    "AGENT_NOT_READY",
    `unknown model ${JSON.stringify(model)}: ${url} serves ${listed(served)}`,
    {
      hint: "choose one of these: --model NAME (target.model)",
    },
  );
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length - NAMES_SHOWN;
  return names.slice(0, NAMES_SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
