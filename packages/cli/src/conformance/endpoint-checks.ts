import { excerpt } from "@tokenstorm/core";
import type { CheckBook } from "./check-book.js";
import { type Scrape, scrape } from "./scrape.js";
import { contentTypeOf, type Server } from "./server.js";

const LIMIT_MS = 10_000;

/** Resolves with the server's version; null where it does not tell. */
export async function checkEndpoints(server: Server, book: CheckBook): Promise<string | null> {
  const { target } = server;
  const get = (path: string) => target.ask(target.request("GET", path), { limitMs: LIMIT_MS });
  const health = await get("/health");
  const isHealthy = health.status === 200 && health.problem === null;
  if (isHealthy) book.pass("endpoints.health", "200");
  else book.fail("endpoints.health", health.problem ?? `status ${health.status}`, health);
  const models = await get("/v1/models");
  const fault = modelsFault(models.body.toString("utf8"), server.model);
  if (models.status !== 200 || !/^application\/json\b/i.test(contentTypeOf(models)))
    book.fail(
      "endpoints.models",
      `status ${models.status}, content type ${contentTypeOf(models) || "none"}`,
      models,
    );
  else if (fault !== null) book.fail("endpoints.models", fault, models);
  else book.pass("endpoints.models", `${server.model}, max_model_len ${server.maxModelLen}`);
  const answer = await get("/version");
  const version = answer.status === 200 ? field(answer.body.toString("utf8"), "version") : undefined;
  if (version === undefined)
    book.fail(
      "endpoints.version",
      `status ${answer.status}: ${excerpt(answer.body.toString("utf8"))}`,
      answer,
    );
  else book.pass("endpoints.version", version);
  return version ?? null;
}

function modelsFault(text: string, model: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return `it is no JSON: ${excerpt(text)}`;
  }
  const data = typeof parsed === "object" && parsed !== null && "data" in parsed ? parsed.data : undefined;
  if (!Array.isArray(data)) return "it has no list named data";
  const entries: readonly unknown[] = data;
  const own = entries.find(
    (entry) => typeof entry === "object" && entry !== null && "id" in entry && entry.id === model,
  );
  if (typeof own !== "object" || own === null) return `no entry of data has the id ${model}`;
  const length = "max_model_len" in own ? own.max_model_len : undefined;
  return typeof length === "number" && length > 0 ? null : `the entry of ${model} has no max_model_len`;
}

function field(text: string, name: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const value: unknown = Reflect.get(parsed, name);
    return typeof value === "string" && value !== "" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What tokenstorm reads of a target; a counter without labels yet may be absent in some clients, never in vLLM's. */
const NAMES = [
  "vllm:num_requests_running",
  "vllm:num_requests_waiting",
  "vllm:kv_cache_usage_perc",
  "vllm:prompt_tokens_total",
  "vllm:generation_tokens_total",
  "vllm:request_success_total",
  "vllm:num_preemptions_total",
  "vllm:prefix_cache_queries_total",
  "vllm:prefix_cache_hits_total",
  "vllm:time_to_first_token_seconds_count",
  "vllm:inter_token_latency_seconds_count",
  "vllm:e2e_request_latency_seconds_count",
  "vllm:cache_config_info",
];

/** The first page; null where there is none, and then every check that needs one is skipped. */
export async function checkMetricsPage(server: Server, book: CheckBook): Promise<Scrape | null> {
  const scraped = await scrape(server);
  if (scraped.kind === "none") {
    // A gateway may keep them to itself; a page that is broken is another thing.
    if (scraped.answer.status === 404) book.skip("metrics.page", "the server has no /metrics (status 404)");
    else book.fail("metrics.page", scraped.why, scraped.answer);
    for (const id of ["metrics.names", "metrics.exact", "metrics.monotone", "connections.abort"])
      book.skip(id, "there is no page of /metrics that can be read");
    return null;
  }
  const { names, answer } = scraped.scrape;
  book.pass("metrics.page", `${names.size} names`);
  const missing = NAMES.filter((name) => !names.has(name));
  if (missing.length === 0) book.pass("metrics.names", `all ${NAMES.length}`);
  else book.fail("metrics.names", `it has no ${missing.join(", ")}`, answer);
  return scraped.scrape;
}
