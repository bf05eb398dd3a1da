import { createEngine, type Engine, type EngineConfig, type StepTable } from "@tokenstorm/simulator";

/** A server and a client that takes no time, without anything of ours between them. */
export interface ClosedLoop {
  readonly decodeStepMs: StepTable;
  readonly prefillTokensPerS: number;
  readonly users: number;
  readonly requests: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** All send one prompt; else each has its own. */
  readonly isIdentical: boolean;
  /** That prompt is in the prefix cache from the start. */
  readonly isWarm?: boolean;
  readonly engine?: Partial<EngineConfig>;
}

export interface ClosedLoopResult {
  readonly totalTokensPerS: number;
  readonly outputTokensPerS: number;
  /** Nearest rank. */
  readonly p99S: number;
  readonly seconds: number;
}

/**
 * So many requests by so many users in a closed loop, step by step: what a client of no cost and no error would measure.
 * It is the second computation against which the real client is held, and it does for what needs hundreds of runs.
 */
export function runClosedLoop(loop: ClosedLoop): ClosedLoopResult {
  const engine = engineOf(loop);
  if (loop.isWarm === true) warm(engine, loop);
  const sentUs = new Map<number, number>();
  const tookUs: number[] = [];
  let nowUs = 0;
  const send = () => {
    const id = sentUs.size;
    if (id >= loop.requests) return;
    sentUs.set(id, nowUs);
    engine.add({ id, promptTokens: promptOf(loop, id), maxTokens: loop.outputTokens });
  };
  for (let user = 0; user < loop.users; user += 1) send();
  for (let plan = engine.beginStep(); plan !== undefined; plan = engine.beginStep()) {
    nowUs += plan.durationUs;
    for (const { id, finish } of engine.endStep()) {
      if (finish === null) continue;
      tookUs.push(nowUs - (sentUs.get(id) ?? 0));
      send();
    }
  }
  tookUs.sort((a, b) => a - b);
  const seconds = nowUs / 1e6;
  return {
    totalTokensPerS: (loop.requests * (loop.promptTokens + loop.outputTokens)) / seconds,
    outputTokensPerS: (loop.requests * loop.outputTokens) / seconds,
    p99S: (tookUs[Math.ceil(0.99 * tookUs.length) - 1] ?? Number.NaN) / 1e6,
    seconds,
  };
}

function engineOf({ decodeStepMs, prefillTokensPerS, engine }: ClosedLoop): Engine {
  return createEngine({
    decodeStepMs,
    prefillTokensPerS,
    timeScale: 1,
    maxNumSeqs: 1024,
    maxNumBatchedTokens: 8192,
    blockSize: 16,
    kvBlocks: 180_000,
    prefixCache: true,
    vocabulary: [1],
    eosToken: 0,
    ...engine,
  });
}

function warm(engine: Engine, loop: ClosedLoop): void {
  engine.add({ id: 0, promptTokens: promptOf(loop, 0), maxTokens: 1 });
  while (engine.beginStep() !== undefined) engine.endStep();
}

function promptOf({ promptTokens, isIdentical }: ClosedLoop, id: number): number[] {
  const base = isIdentical ? 0 : (id + 1) * 100_003;
  return Array.from({ length: promptTokens }, (_, i) => base + i);
}
