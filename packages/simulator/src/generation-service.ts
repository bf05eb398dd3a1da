import { createEngine, type Engine, type StepOutput, type StepPlan } from "./engine/engine.js";
import { drawFault, type Fault, parseFault } from "./faults.js";
import { answerJson } from "./http/answer.js";
import { ApiError, errorJson, invalidBody } from "./http/api-error.js";
import { type Endpoint, type GenerationRequest, parseGenerationRequest } from "./http/api-request.js";
import type { Exchange } from "./http/connection.js";
import { EventFormat } from "./http/event-format.js";
import { Generation } from "./http/generation.js";
import { parseJsonObject } from "./http/json-fields.js";
import { toByteString } from "./http/response.js";
import { EngineMetrics } from "./metrics/engine-metrics.js";
import { monotonicUs } from "./monotonic.js";
import type { SimulatorConfig } from "./options.js";
import { OutputRelease } from "./output-release.js";
import { hashIntegers, hashText, logNormal, uniformAt } from "./random.js";
import { StepLoop } from "./step-loop.js";
import { createVocabulary, type Vocabulary } from "./text/vocabulary.js";
import type { TruthLogWriter } from "./truth-log-writer.js";

const EOS_TOKEN = 10;

interface Active {
  readonly generation: Generation;
  readonly request: GenerationRequest;
  readonly arrivalUs: number;
  scheduledUs: number;
  firstTokenUs: number;
  lastTokenUs: number;
}

/** The two generation endpoints: from the checked request through the engine to the writes and the truth log. */
export class GenerationService {
  readonly #config: SimulatorConfig;
  readonly #truth: TruthLogWriter;
  readonly #vocabulary: Vocabulary;
  readonly #words: readonly string[];
  readonly #active = new Map<number, Active>();
  /** Every answer under way, those included that the engine is through with. */
  readonly #generations = new Set<Generation>();
  readonly #release = new OutputRelease();
  readonly #loop: StepLoop;
  readonly engine: Engine;
  readonly metrics: EngineMetrics;
  #ordinal = 0;

  constructor(config: SimulatorConfig, truth: TruthLogWriter) {
    this.#config = config;
    this.#truth = truth;
    this.#vocabulary = createVocabulary({ multiByte: config.multiByteText });
    this.#words = this.#vocabulary.words.map(toByteString);
    this.engine = createEngine({
      ...config.engine,
      vocabulary: this.#vocabulary.tokens,
      eosToken: EOS_TOKEN,
    });
    this.metrics = createMetrics(config);
    this.#loop = new StepLoop({
      engine: this.engine,
      nowUs: monotonicUs,
      onBegin: (plan, nowUs) => this.#onBegin(plan, nowUs),
      onEnd: (outputs, { nowUs }) => this.#onEnd(outputs, nowUs),
    });
  }

  get slippedUs(): number {
    return this.#loop.slippedUs;
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
    this.#loop.close();
    this.#release.close();
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
      abort: () => this.#abort(ordinal),
      onEnd: (record) => {
        this.#generations.delete(generation);
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
    const outputSeed = hashText(id, hashIntegers(request.promptTokens, this.#config.seed));
    const arrivalUs = monotonicUs();
    this.#active.set(ordinal, {
      generation,
      request,
      arrivalUs,
      scheduledUs: arrivalUs,
      firstTokenUs: 0,
      lastTokenUs: 0,
    });
    this.engine.add({
      id: ordinal,
      promptTokens: request.promptTokens,
      maxTokens: request.maxTokens,
      stopAfter: request.ignoreEos ? undefined : this.#naturalLength(outputSeed, request.minTokens),
      cacheSalt: request.cacheSalt,
      outputSeed,
    });
    this.#loop.wake();
  }

  /** Which output is the end-of-sequence token, where the request lets the model stop. */
  #naturalLength(outputSeed: number, minTokens: number): number {
    const { naturalStopMedian, naturalStopSigma } = this.#config;
    const draws = { u: uniformAt(outputSeed, 0), v: uniformAt(outputSeed, 1) };
    const natural = Math.round(logNormal(naturalStopMedian, naturalStopSigma, draws));
    return Math.max(natural, minTokens + 1, 1);
  }

  #abort(ordinal: number): void {
    this.engine.abort(ordinal);
    this.#active.delete(ordinal);
  }

  #onBegin(plan: StepPlan, nowUs: number): void {
    for (const { id, cachedTokens } of plan.admitted) {
      const active = this.#active.get(id);
      if (active === undefined) continue;
      active.scheduledUs = nowUs;
      active.generation.admitted(cachedTokens);
    }
  }

  #onEnd(outputs: readonly StepOutput[], nowUs: number): void {
    let firstPromptTokens = 0;
    for (const output of outputs) {
      const active = this.#active.get(output.id);
      if (active === undefined) continue;
      active.generation.generated();
      if (output.ordinal === 1) {
        firstPromptTokens += active.request.promptTokens.length;
        active.firstTokenUs = nowUs;
        this.metrics.firstToken(active.request.promptTokens.length, nowUs - active.arrivalUs);
      } else {
        this.metrics.laterToken(nowUs - active.lastTokenUs);
      }
      active.lastTokenUs = nowUs;
      this.#release.push(active.generation, output);
      if (output.finish !== null) this.#finish(active, output, output.finish);
    }
    this.metrics.iteration(outputs.length, firstPromptTokens);
    this.#release.run();
  }

  #finish(active: Active, output: StepOutput, finish: "length" | "stop"): void {
    this.#active.delete(output.id);
    this.metrics.finished({
      finish,
      promptTokens: active.request.promptTokens.length,
      cachedTokens: active.generation.cachedTokens,
      outputTokens: output.ordinal,
      maxTokens: active.request.maxTokens,
      arrivalUs: active.arrivalUs,
      scheduledUs: active.scheduledUs,
      firstTokenUs: active.firstTokenUs,
      endUs: active.lastTokenUs,
    });
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

function createMetrics(config: SimulatorConfig): EngineMetrics {
  const { blockSize, kvBlocks, prefixCache } = config.engine;
  return new EngineMetrics({
    model: config.model,
    maxModelLen: config.maxModelLen,
    createdS: Date.now() / 1000,
    cacheConfig: {
      block_size: String(blockSize),
      cache_dtype: "auto",
      enable_prefix_caching: prefixCache ? "True" : "False",
      gpu_memory_utilization: "0.9",
      num_gpu_blocks: String(kvBlocks),
    },
  });
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
