import type { Clock } from "@tokenstorm/core";
import { createEngine, type EngineStats, type StepOutput, type StepPlan } from "./engine/engine.js";
import { type Endpoint, type GenerationRequest, parseGenerationRequest } from "./http/api-request.js";
import { parseJsonObject } from "./http/json-fields.js";
import { EngineMetrics } from "./metrics/engine-metrics.js";
import { metricsPage } from "./metrics/metrics-page.js";
import { createStepNoise } from "./noise.js";
import type { SimulatorConfig, SimulatorOptions } from "./options.js";
import { OutputLengths } from "./output-length.js";
import { hashIntegers, hashText } from "./random.js";
import { resolveOptions } from "./resolve-options.js";
import { createVocabulary } from "./text/vocabulary.js";

const EOS_TOKEN = 10;

/** Hears what comes of one request. */
export interface VirtualListener {
  /** A token came out, now; the last one names how the answer ends, and nothing follows it. */
  onToken(nowUs: number, isContent: boolean, finish: "length" | "stop" | null): void;
}

export interface VirtualUsage {
  readonly prompt: number;
  readonly cachedPrompt: number;
  readonly output: number;
}

export interface VirtualRequest {
  /** Counted so far. */
  usage(): VirtualUsage;
  /** The client has left. Nothing is heard any more. */
  abort(): void;
}

/** The simulator without sockets: the same engine, request checks, lengths, noise and /metrics, on a clock that is handed in. */
export interface VirtualServer {
  readonly model: string;
  readonly version: string;
  /** Takes a request's JSON body. Throws what the HTTP server would answer with an error status. */
  send(id: string, endpoint: Endpoint, body: Uint8Array, listener: VirtualListener): VirtualRequest;
  /** Tokens of the prompt of such a body, as /tokenize would count them. Throws as `send` does. */
  promptTokens(endpoint: Endpoint, body: Uint8Array): number;
  stats(): EngineStats;
  metricsPage(): string;
}

interface Active {
  readonly request: GenerationRequest;
  readonly listener: VirtualListener;
  readonly arrivalUs: number;
  scheduledUs: number;
  firstTokenUs: number;
  lastTokenUs: number;
  cachedTokens: number;
  output: number;
}

/**
 * One engine in virtual time. Its first step begins when all that is due at the moment of a first request has been done,
 * and each further one when all that its forerunner's tokens called for has: a client that takes no time to answer is
 * always in time for the next step.
 */
export function createVirtualServer(options: SimulatorOptions, clock: Clock): VirtualServer {
  return new VirtualEngine(resolveOptions(options), clock);
}

class VirtualEngine implements VirtualServer {
  readonly #config: SimulatorConfig;
  readonly #clock: Clock;
  readonly #engine;
  readonly #lengths: OutputLengths;
  readonly #metrics: EngineMetrics;
  readonly #active = new Map<number, Active>();
  #ordinal = 0;
  #isAwake = false;
  /** When the step under way ends; not rounded, so that steps add up exactly. */
  #dueUs = 0;

  constructor(config: SimulatorConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#lengths = new OutputLengths(config);
    const { tokens } = createVocabulary({ multiByte: config.multiByteText });
    const stepNoise = createStepNoise({ ...config, rank: 0 });
    this.#engine = createEngine({ ...config.engine, vocabulary: tokens, eosToken: EOS_TOKEN, stepNoise });
    const { blockSize, kvBlocks, prefixCache } = config.engine;
    this.#metrics = new EngineMetrics({
      engine: 0,
      model: config.model,
      maxModelLen: config.maxModelLen,
      createdS: clock.wallMs() / 1000,
      cacheConfig: {
        block_size: String(blockSize),
        enable_prefix_caching: prefixCache ? "True" : "False",
        num_gpu_blocks: String(kvBlocks),
      },
    });
  }

  get model(): string {
    return this.#config.model;
  }

  get version(): string {
    return this.#config.version;
  }

  send(id: string, endpoint: Endpoint, body: Uint8Array, listener: VirtualListener): VirtualRequest {
    const request = this.#parsed(endpoint, body);
    const ordinal = ++this.#ordinal;
    const nowUs = this.#clock.nowUs();
    const outputSeed = hashText(id, hashIntegers(request.promptTokens, this.#config.seed));
    const active: Active = {
      request,
      listener,
      arrivalUs: nowUs,
      scheduledUs: nowUs,
      firstTokenUs: 0,
      lastTokenUs: 0,
      cachedTokens: 0,
      output: 0,
    };
    this.#active.set(ordinal, active);
    this.#engine.add({
      id: ordinal,
      promptTokens: request.promptTokens,
      images: request.images,
      maxTokens: request.maxTokens,
      stopAfter: this.#lengths.begin({ ...request, outputSeed, nowUs }),
      cacheSalt: request.cacheSalt,
      outputSeed,
    });
    this.#wake();
    return {
      usage: () => ({
        prompt: request.promptTokens.length,
        cachedPrompt: active.cachedTokens,
        output: active.output,
      }),
      abort: () => {
        if (!this.#active.delete(ordinal)) return;
        this.#engine.abort(ordinal);
        this.#lengths.end(this.#clock.nowUs());
      },
    };
  }

  promptTokens(endpoint: Endpoint, body: Uint8Array): number {
    return this.#parsed(endpoint, body).promptTokens.length;
  }

  #parsed(endpoint: Endpoint, body: Uint8Array): GenerationRequest {
    return parseGenerationRequest(endpoint, parseJsonObject(Buffer.from(body)), this.#config);
  }

  stats(): EngineStats {
    return this.#engine.stats();
  }

  metricsPage(): string {
    return metricsPage([this.#metrics.view(this.#engine.stats())], this.#config.emulation.metrics);
  }

  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    const nowUs = this.#clock.nowUs();
    this.#clock.at(nowUs, () => this.#begin(nowUs));
  }

  #begin(startUs: number): void {
    const plan = this.#engine.beginStep();
    this.#isAwake = plan !== undefined;
    if (plan === undefined) return;
    this.#admit(plan);
    this.#dueUs = startUs + plan.durationUs;
    this.#clock.at(Math.round(this.#dueUs), () => this.#end());
  }

  #admit({ admitted }: StepPlan): void {
    for (const { id, cachedTokens } of admitted) {
      const active = this.#active.get(id);
      if (active === undefined) continue;
      active.cachedTokens = cachedTokens;
      active.scheduledUs = this.#clock.nowUs();
    }
  }

  #end(): void {
    const nowUs = this.#clock.nowUs();
    const outputs = this.#engine.endStep();
    let firstPromptTokens = 0;
    for (const output of outputs) firstPromptTokens += this.#deliver(output, nowUs);
    this.#metrics.iteration(outputs.length, firstPromptTokens);
    // What the tokens called for at this very moment comes first, and joins the next step.
    this.#clock.at(nowUs, () => this.#begin(this.#dueUs));
  }

  /** Gives the prompt's tokens where this was the first one, for the count by iteration. */
  #deliver({ id, word, ordinal, finish }: StepOutput, nowUs: number): number {
    const active = this.#active.get(id);
    if (active === undefined) return 0;
    const prompt = active.request.promptTokens.length;
    active.output = ordinal;
    if (ordinal === 1) {
      active.firstTokenUs = nowUs;
      this.#metrics.firstToken(
        { tokens: prompt, cachedTokens: active.cachedTokens },
        nowUs - active.arrivalUs,
      );
    } else this.#metrics.laterToken(nowUs - active.lastTokenUs);
    active.lastTokenUs = nowUs;
    if (finish !== null) this.#finish(id, active, finish);
    active.listener.onToken(nowUs, word >= 0, finish);
    return ordinal === 1 ? prompt : 0;
  }

  #finish(id: number, active: Active, finish: "length" | "stop"): void {
    this.#active.delete(id);
    this.#lengths.end(active.lastTokenUs);
    this.#metrics.finished({
      finish,
      promptTokens: active.request.promptTokens.length,
      cachedTokens: active.cachedTokens,
      outputTokens: active.output,
      maxTokens: active.request.maxTokens,
      arrivalUs: active.arrivalUs,
      queuedUs: active.arrivalUs,
      scheduledUs: active.scheduledUs,
      firstTokenUs: active.firstTokenUs,
      endUs: active.lastTokenUs,
    });
  }
}
