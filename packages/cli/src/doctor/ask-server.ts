import type { WireAnswer, WireTarget } from "@tokenstorm/agent";
import { parsePrometheus } from "@tokenstorm/coordinator";
import type { SeenServer } from "@tokenstorm/core";
import { z } from "zod";

const ASK_LIMIT_MS = 10_000;

const Models = z.object({
  data: z.array(
    z.object({
      id: z.string().min(1).max(1000),
      root: z.string().max(1000).nullish(),
      max_model_len: z.number().int().positive().nullish(),
    }),
  ),
});
const Version = z.object({ version: z.string().min(1).max(200) });

export type AskedServer =
  | { readonly kind: "answered"; readonly server: SeenServer; readonly notes: readonly string[] }
  | { readonly kind: "unreachable"; readonly why: string };

/** Asks a running target what it can tell of itself. What it does not tell is a note, not an error. */
export async function askServer(target: WireTarget): Promise<AskedServer> {
  const get = async (path: string) => target.ask(target.request("GET", path), { limitMs: ASK_LIMIT_MS });
  let modelsAnswer: WireAnswer;
  try {
    modelsAnswer = await get("/v1/models");
  } catch (error) {
    return { kind: "unreachable", why: target.shown(error instanceof Error ? error.message : String(error)) };
  }
  if (modelsAnswer.status === 0)
    return {
      kind: "unreachable",
      why: `no answer to GET /v1/models: ${modelsAnswer.problem ?? "nothing came"}`,
    };
  const notes: string[] = [];
  const noted = <Value>(
    path: string,
    answer: WireAnswer | string,
    read: (text: string) => Value | string,
  ) => {
    const found = typeof answer === "string" ? answer : readAnswer(answer, read);
    if (typeof found !== "string") return found.value;
    notes.push(`${path} tells nothing: ${target.shown(found)}`);
    return undefined;
  };
  const models = noted("/v1/models", modelsAnswer, jsonOf(Models));
  const version = noted("/version", await get("/version").catch(messageOf), jsonOf(Version));
  const cacheConfig = noted("/metrics", await get("/metrics").catch(messageOf), cacheConfigOf);
  return {
    kind: "answered",
    notes,
    server: {
      url: target.url,
      models: (models?.data ?? []).map(({ id, root, max_model_len }) => ({
        id,
        ...(root === null || root === undefined ? {} : { root }),
        ...(max_model_len === null || max_model_len === undefined ? {} : { maxModelLen: max_model_len }),
      })),
      version: version?.version,
      cacheConfig,
    },
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A string says why nothing could be read. */
function readAnswer<Value>(
  answer: WireAnswer,
  read: (text: string) => Value | string,
): { readonly value: Value } | string {
  if (answer.problem !== null) return answer.problem;
  if (answer.status !== 200) return `status ${answer.status}`;
  const value = read(answer.body.toString("utf8"));
  return typeof value === "string" ? value : { value };
}

function jsonOf<Value>(schema: z.ZodType<Value>): (text: string) => Value | string {
  return (text) => {
    try {
      const parsed = schema.safeParse(JSON.parse(text));
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      return `${issue?.path.join(".") || "it"}: ${issue?.message ?? "is wrong"}`;
    } catch {
      return "it is no JSON";
    }
  };
}

/** Of the first engine: all of one server have the same configuration. */
function cacheConfigOf(page: string): Readonly<Record<string, string>> | string {
  const name = "vllm:cache_config_info";
  try {
    const [first] = parsePrometheus(page, new Set([name]));
    return first?.labels ?? "it has no vllm:cache_config_info";
  } catch (error) {
    return messageOf(error);
  }
}
