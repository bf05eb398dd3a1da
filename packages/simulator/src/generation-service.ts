import type { EngineCore } from "./engine-core.js";
import { EngineCores } from "./engine-cores.js";
import { drawFault, type Fault, parseFault } from "./faults.js";
import { answerJson } from "./http/answer.js";
import { ApiError, errorJson, invalidBody } from "./http/api-error.js";
import { type Endpoint, type GenerationRequest, parseGenerationRequest } from "./http/api-request.js";
import type { Exchange } from "./http/connection.js";
import { EventFormat } from "./http/event-format.js";
import { Generation } from "./http/generation.js";
import { parseJsonObject } from "./http/json-fields.js";
import { toByteString } from "./http/response.js";
import { monotonicUs } from "./monotonic.js";
import type { SimulatorConfig } from "./options.js";
import { createVocabulary, type Vocabulary } from "./text/vocabulary.js";
import type { TruthLogWriter } from "./truth-log-writer.js";

/** The two generation endpoints: from the checked request through the engine to the writes and the truth log. */
export class GenerationService {
  readonly #config: SimulatorConfig;
  readonly #truth: TruthLogWriter;
  readonly #vocabulary: Vocabulary;
  readonly #words: readonly string[];
  /** Every answer under way, those included that the engine is through with. */
  readonly #generations = new Set<Generation>();
  /** Which engine works on a request, by its ordinal. */
  readonly #placed = new Map<number, EngineCore>();
  readonly engines: EngineCores;
  #ordinal = 0;

  constructor(config: SimulatorConfig, truth: TruthLogWriter) {
    this.#config = config;
    this.#truth = truth;
    this.#vocabulary = createVocabulary({ multiByte: config.multiByteText });
    this.#words = this.#vocabulary.words.map(toByteString);
    this.engines = new EngineCores(config, this.#vocabulary.tokens);
  }

  get requests(): number {
    return this.#ordinal;
  }

  handle(exchange: Exchange, endpoint: Endpoint): void {
    const ordinal = ++this.#ordinal;
    const id = headerId(exchange) ?? `sim-${this.#config.seed}-${ordinal}`;
    this.#truth.opened(exchange.receivedUs);
    let request: GenerationRequest;
    let fault: Fault | undefined;
    try {
      fault = this.#faultOf(exchange, ordinal);
      request = parseGenerationRequest(endpoint, parseBody(exchange), this.#config);
    } catch (error) {
      this.#reject(exchange, { id, endpoint, error: asApiError(error) });
      return;
    }
    if (this.#answersWithFault(exchange, { id, endpoint, fault })) return;
    this.#generate({ id: headerId(exchange) ?? request.requestId ?? id, ordinal, exchange, request, fault });
  }

  /** Ends everything that is under way; the truth log gets its lines. */
  close(): void {
    this.engines.close();
    for (const generation of [...this.#generations]) generation.cut();
  }

  #generate(work: {
    id: string;
    ordinal: number;
    exchange: Exchange;
    request: GenerationRequest;
    fault: Fault | undefined;
  }): void {
    const { id, ordinal, exchange, request, fault } = work;
    const generation: Generation = new Generation({
      id,
      request,
      exchange,
      format: this.#formatFor(id, request, () => generation.cachedTokens),
      words: this.#words,
      streamInterval: this.#config.streamInterval,
      fault,
      nowUs: monotonicUs,
      abort: () => this.#placed.get(ordinal)?.abort(ordinal),
      onEnd: (record) => {
        this.#generations.delete(generation);
        this.#placed.delete(ordinal);
        this.#truth.addRequest(record);
        this.#truth.ended(record.endUs);
      },
    });
    this.#generations.add(generation);
    if (fault?.kind !== "slow-headers") this.#enqueue(id, ordinal, request, generation);
    else setTimeout(() => this.#enqueue(id, ordinal, request, generation), fault.argument).unref();
  }

  #enqueue(id: string, ordinal: number, request: GenerationRequest, generation: Generation): void {
    if (generation.isEnded) return;
    generation.start();
    const core = this.engines.choose();
    this.#placed.set(ordinal, core);
    core.add(id, ordinal, request, generation);
  }

  #formatFor(id: string, request: GenerationRequest, cachedTokens: () => number): EventFormat {
    return new EventFormat({
      request,
      answerId: `${request.endpoint === "chat" ? "chatcmpl" : "cmpl"}-${id}`,
      createdS: Math.floor(Date.now() / 1000),
      model: this.#config.model,
      cachedTokens: this.#config.promptTokensDetails ? cachedTokens : () => undefined,
    });
  }

  #faultOf(exchange: Exchange, ordinal: number): Fault | undefined {
    const text = exchange.request.headers.get("x-sim-fault");
    if (text === undefined) return drawFault(this.#config.faults, this.#config.seed, ordinal);
    const fault = parseFault(text);
    if (fault === undefined) throw invalidBody(`x-sim-fault: ${text} is not a fault`, "x-sim-fault");
    return fault;
  }

  /** Faults that take the place of the stream; true when the answer has been given. */
  #answersWithFault(
    exchange: Exchange,
    about: { id: string; endpoint: Endpoint; fault: Fault | undefined },
  ): boolean {
    const kind = about.fault?.kind;
    if (kind === "http-429") {
      this.#reject(exchange, { ...about, error: new ApiError(429, "RateLimitError", "Too many requests") });
    } else if (kind === "http-500" || kind === "not-sse") {
      const error = new ApiError(500, "InternalServerError", "EngineCore encountered an issue.");
      this.#reject(exchange, { ...about, error, status: kind === "not-sse" ? 200 : 500 });
    } else return false;
    return true;
  }

  #reject(
    exchange: Exchange,
    about: { id: string; endpoint: Endpoint; error: ApiError; status?: number; fault?: Fault | undefined },
  ): void {
    const { id, endpoint, error, status = error.status, fault } = about;
    const endUs = monotonicUs();
    answerJson(exchange, status, errorJson(error));
    this.#truth.addRejection({
      kind: "rejected",
      id,
      endpoint,
      status,
      reason: error.type,
      ...(fault === undefined ? {} : { fault: fault.kind }),
      receivedUs: exchange.receivedUs,
      endUs,
    });
    this.#truth.ended(endUs);
  }
}

/** What a hostile body breaks (a million brackets overflow the stack) is answered, not thrown. */
function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError(500, "InternalServerError", message);
}

/** Header bytes come as one character each; ids are UTF-8 like everything else. */
function headerId(exchange: Exchange): string | undefined {
  const value = exchange.request.headers.get("x-request-id");
  return value === undefined || value === "" ? undefined : Buffer.from(value, "latin1").toString("utf8");
}

function parseBody(exchange: Exchange) {
  const [type = ""] = (exchange.request.headers.get("content-type") ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/json") {
    throw invalidBody("Unsupported Media Type: Only 'application/json' is allowed");
  }
  return parseJsonObject(exchange.request.body);
}
