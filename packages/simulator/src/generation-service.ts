import type { EngineCore } from "./engine-core.js";
import { EngineCores } from "./engine-cores.js";
import { scheduledFault } from "./fault-schedule.js";
import { drawFault, type Fault, type FaultSource, parseFault } from "./faults.js";
import { answerJson } from "./http/answer.js";
import { ApiError, errorJson, invalidBody } from "./http/api-error.js";
import { type Endpoint, type GenerationRequest, parseGenerationRequest } from "./http/api-request.js";
import type { Exchange } from "./http/connection.js";
import { EventFormat } from "./http/event-format.js";
import { Generation } from "./http/generation.js";
import { parseJsonObject } from "./http/json-fields.js";
import { RecentBodies } from "./http/recent-bodies.js";
import { type ResponseHeaders, toByteString } from "./http/response.js";
import { monotonicUs } from "./monotonic.js";
import type { SimulatorConfig } from "./options.js";
import { createVocabulary, type Vocabulary } from "./text/vocabulary.js";
import type { TruthLogWriter } from "./truth-log-writer.js";
import { ProcessorCache } from "./vision/processor-cache.js";

/** A request's fault and where it came from. */
interface GivenFault extends Fault {
  readonly by: FaultSource;
}

/** Faults that take the place of the stream with an answer of their own. */
const FAULT_ANSWERS: Partial<Record<Fault["kind"], { readonly status: number; readonly error: ApiError }>> = {
  "http-429": { status: 429, error: new ApiError(429, "RateLimitError", "Too many requests") },
  "http-500": {
    status: 500,
    error: new ApiError(500, "InternalServerError", "EngineCore encountered an issue."),
  },
  "http-502": { status: 502, error: new ApiError(502, "BadGatewayError", "Bad gateway") },
  "http-503": { status: 503, error: new ApiError(503, "ServiceUnavailableError", "Service unavailable") },
  "http-504": { status: 504, error: new ApiError(504, "GatewayTimeoutError", "Gateway timeout") },
  "not-sse": {
    status: 200,
    error: new ApiError(500, "InternalServerError", "EngineCore encountered an issue."),
  },
};

/** The two generation endpoints: from the checked request through the engine to the writes and the truth log. */
export class GenerationService {
  readonly #bodies = new RecentBodies();
  readonly #config: SimulatorConfig;
  readonly #truth: TruthLogWriter;
  readonly #vocabulary: Vocabulary;
  readonly #words: readonly string[];
  /** Every answer under way, those included that the engine is through with. */
  readonly #generations = new Set<Generation>();
  /** Which engine works on a request, by its ordinal. */
  readonly #placed = new Map<number, EngineCore>();
  readonly engines: EngineCores;
  readonly #preparedImages = new ProcessorCache();
  readonly #startedUs = monotonicUs();
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
    let fault: GivenFault | undefined;
    try {
      fault = this.#faultOf(exchange, ordinal);
      request = parseGenerationRequest(endpoint, parseBody(exchange, this.#bodies), this.#config);
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
    fault: GivenFault | undefined;
  }): void {
    const { id, ordinal, exchange, request, fault } = work;
    const generation: Generation = new Generation({
      id,
      request,
      exchange,
      format: this.#formatFor(id, request, () => generation.cachedTokens),
      words: this.#words,
      streamInterval: request.streamInterval ?? this.#config.streamInterval,
      reasoningTokens: request.endpoint === "chat" ? this.#config.reasoningTokens : 0,
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
    const { images } = request;
    if (images.length > 0) this.engines.countImages(images.length, this.#preparedImages.take(images));
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
      emulation: this.#config.emulation,
    });
  }

  #faultOf(exchange: Exchange, ordinal: number): GivenFault | undefined {
    const { headers } = exchange.request;
    const name = headers.has("x-fault") ? "x-fault" : "x-sim-fault";
    const text = headers.get(name);
    if (text !== undefined) {
      const fault = parseFault(text);
      if (fault === undefined) throw invalidBody(`${name}: ${text} is not a fault`, name);
      return { ...fault, by: "header" };
    }
    const { faults, faultSchedule, seed } = this.#config;
    const sinceStartUs = exchange.receivedUs - this.#startedUs;
    const scheduled = scheduledFault(faultSchedule, seed, { ordinal, sinceStartUs });
    if (scheduled !== undefined) return { ...scheduled, by: "schedule" };
    const drawn = drawFault(faults, seed, ordinal);
    return drawn === undefined ? undefined : { ...drawn, by: "rate" };
  }

  /** Faults that take the place of the stream; true when nothing more is to be done. */
  #answersWithFault(
    exchange: Exchange,
    about: { id: string; endpoint: Endpoint; fault: GivenFault | undefined },
  ): boolean {
    const { fault } = about;
    if (fault === undefined) return false;
    if (fault.kind === "drop") {
      const endUs = monotonicUs();
      exchange.destroy(true);
      this.#recordRejection(exchange, { ...about, status: 0, reason: "dropped", endUs });
      return true;
    }
    const answer = FAULT_ANSWERS[fault.kind];
    if (answer === undefined) return false;
    const more = fault.kind === "http-429" ? { "retry-after": fault.argument } : undefined;
    this.#reject(exchange, { ...about, ...answer, more });
    return true;
  }

  #reject(
    exchange: Exchange,
    about: {
      id: string;
      endpoint: Endpoint;
      error: ApiError;
      status?: number;
      fault?: GivenFault | undefined;
      more?: ResponseHeaders | undefined;
    },
  ): void {
    const { error, status = error.status, more } = about;
    const endUs = monotonicUs();
    answerJson(exchange, status, errorJson(error, this.#config.emulation.errorParam), more);
    this.#recordRejection(exchange, { ...about, status, reason: error.type, endUs });
  }

  /** `status` 0 means that nothing was answered. */
  #recordRejection(
    exchange: Exchange,
    about: {
      id: string;
      endpoint: Endpoint;
      status: number;
      reason: string;
      endUs: number;
      fault?: GivenFault | undefined;
    },
  ): void {
    const { id, endpoint, status, reason, endUs, fault } = about;
    this.#truth.addRejection({
      kind: "rejected",
      id,
      endpoint,
      status,
      reason,
      ...(fault === undefined ? {} : { fault: fault.kind, faultBy: fault.by }),
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

function parseBody(exchange: Exchange, recent: RecentBodies) {
  const [type = ""] = (exchange.request.headers.get("content-type") ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/json") {
    throw invalidBody("Unsupported Media Type: Only 'application/json' is allowed");
  }
  return recent.read(exchange.request.body, parseJsonObject);
}
