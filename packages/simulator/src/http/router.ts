import { cautions } from "../cautions.js";
import type { GenerationService } from "../generation-service.js";
import { metricsPage } from "../metrics/metrics-page.js";
import type { SimulatorConfig } from "../options.js";
import { profiles } from "../profiles.js";
import { answerJson, answerText } from "./answer.js";
import { ApiError, errorJson } from "./api-error.js";
import { parseTokenizeRequest } from "./api-request.js";
import type { Exchange } from "./connection.js";
import { parseJsonObject } from "./json-fields.js";

type Handler = (exchange: Exchange) => void;

interface Route {
  readonly method: "GET" | "POST";
  readonly handle: Handler;
}

/** All paths the simulator answers; everything else is FastAPI's 404. */
export function createRouter(config: SimulatorConfig, service: GenerationService): Handler {
  const startedS = Math.floor(Date.now() / 1000);
  const routes = new Map<string, Route>([
    ["/v1/chat/completions", { method: "POST", handle: (exchange) => service.handle(exchange, "chat") }],
    ["/v1/completions", { method: "POST", handle: (exchange) => service.handle(exchange, "completions") }],
    [
      "/v1/models",
      { method: "GET", handle: (exchange) => answerJson(exchange, 200, modelsJson(config, startedS)) },
    ],
    ["/health", { method: "GET", handle: (exchange) => answerText(exchange, 200, "", "") }],
    ["/ping", { method: "GET", handle: (exchange) => answerText(exchange, 200, "", "") }],
    ["/version", { method: "GET", handle: (exchange) => answerJson(exchange, 200, versionJson(config)) }],
    ["/simulator", { method: "GET", handle: (exchange) => answerJson(exchange, 200, describe(config)) }],
    ["/tokenize", { method: "POST", handle: (exchange) => answerTokenize(exchange, config) }],
    ["/metrics", { method: "GET", handle: (exchange) => answerMetrics(exchange, service, config) }],
  ]);
  return (exchange) => {
    const { path, method, headers } = exchange.request;
    if (!isAllowed(path, headers.get("authorization"), config.apiKey)) {
      answerJson(exchange, 401, '{"error":"Unauthorized"}');
      return;
    }
    const route = routes.get(path);
    if (route === undefined) answerJson(exchange, 404, '{"detail":"Not Found"}');
    else if (route.method !== method) answerJson(exchange, 405, '{"detail":"Method Not Allowed"}');
    else route.handle(exchange);
  };
}

function isAllowed(path: string, authorization: string | undefined, apiKey: string | undefined): boolean {
  return apiKey === undefined || !path.startsWith("/v1") || authorization === `Bearer ${apiKey}`;
}

function versionJson(config: SimulatorConfig): string {
  return JSON.stringify({ version: config.version });
}

/** What no vLLM has: what is simulated, and how much of it anybody ever measured. */
function describe(config: SimulatorConfig): string {
  const { profile, stepModel, hardware, engine, dataParallelSize } = config;
  const { maxNumSeqs, maxNumBatchedTokens, blockSize, kvBlocks, timeScale } = engine;
  const limits = { maxNumSeqs, maxNumBatchedTokens, blockSize, kvBlocks, timeScale, dataParallelSize };
  // Whose step times were given by hand has no rows behind them.
  const isProfiles = stepModel === "table" && engine.decodeStepMs === profiles[profile].decodeStepMs;
  const provenance = isProfiles ? profiles[profile].provenance : undefined;
  const notes = cautions(config);
  return JSON.stringify({ simulator: true, profile, stepModel, notes, provenance, limits, hardware });
}

function modelsJson(config: SimulatorConfig, created: number): string {
  const { model, maxModelLen } = config;
  const permission = {
    id: `modelperm-${config.seed}`,
    object: "model_permission",
    created,
    allow_create_engine: false,
    allow_sampling: true,
    allow_logprobs: true,
    allow_search_indices: false,
    allow_view: true,
    allow_fine_tuning: false,
    organization: "*",
    group: null,
    is_blocking: false,
  };
  const entry = {
    id: model,
    object: "model",
    created,
    owned_by: "vllm",
    root: model,
    parent: null,
    max_model_len: maxModelLen,
    permission: [permission],
  };
  return JSON.stringify({ object: "list", data: [entry] });
}

function answerTokenize(exchange: Exchange, config: SimulatorConfig): void {
  try {
    const tokens = parseTokenizeRequest(parseJsonObject(exchange.request.body), config);
    const answer = { count: tokens.length, max_model_len: config.maxModelLen, tokens, token_strs: null };
    answerJson(exchange, 200, JSON.stringify(answer));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    answerJson(exchange, error.status, errorJson(error, config.emulation.errorParam));
  }
}

function answerMetrics(exchange: Exchange, service: GenerationService, config: SimulatorConfig): void {
  const text = metricsPage(service.engines.views(), config.emulation.metrics);
  answerText(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", text);
}
