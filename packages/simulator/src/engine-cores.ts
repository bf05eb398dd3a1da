import type { EngineStats } from "./engine/engine.js";
import { EngineCore } from "./engine-core.js";
import { FrontEnd } from "./front-end.js";
import type { EngineView } from "./metrics/engine-metrics.js";
import { monotonicUs } from "./monotonic.js";
import type { SimulatorConfig } from "./options.js";
import { type OutputQueue, OutputRelease } from "./output-release.js";

/** The data-parallel engines behind one front end. */
export class EngineCores {
  readonly #release: OutputQueue;
  readonly #cores: readonly EngineCore[];

  constructor(config: SimulatorConfig, vocabulary: ArrayLike<number>) {
    const costUs = config.frontEndUs / config.engine.timeScale;
    const release =
      costUs === 0 ? new OutputRelease() : new FrontEnd({ costUs, nowUs: monotonicUs, at: wakeAt });
    this.#release = release;
    this.#cores = Array.from(
      { length: config.dataParallelSize },
      (_, rank) => new EngineCore({ rank, config, vocabulary, release }),
    );
  }

  /** The least loaded, and of several the first, as vLLM's own balancer chooses. */
  choose(): EngineCore {
    const [first, ...others] = this.#cores;
    if (first === undefined) throw new Error("a server has at least one engine");
    let chosen = { core: first, load: first.load };
    for (const core of others) {
      const { load } = core;
      if (load < chosen.load) chosen = { core, load };
    }
    return chosen.core;
  }

  /** The front end is one; vLLM books what it prepares on the first engine. */
  countImages(queries: number, hits: number): void {
    this.#cores[0]?.countImages(queries, hits);
  }

  views(): EngineView[] {
    return this.#cores.map((core) => core.view());
  }

  /** Sums over the engines; the KV usage is the fullest one's. */
  stats(): EngineStats & { readonly promptTokens: number; readonly generationTokens: number } {
    const views = this.views();
    const sum = (read: (view: EngineView) => number) => views.reduce((total, view) => total + read(view), 0);
    return {
      running: sum(({ stats }) => stats.running),
      waiting: sum(({ stats }) => stats.waiting),
      freeBlocks: sum(({ stats }) => stats.freeBlocks),
      kvCacheUsage: Math.max(...views.map(({ stats }) => stats.kvCacheUsage)),
      preemptions: sum(({ stats }) => stats.preemptions),
      prefixCacheQueries: sum(({ stats }) => stats.prefixCacheQueries),
      prefixCacheHits: sum(({ stats }) => stats.prefixCacheHits),
      steps: sum(({ stats }) => stats.steps),
      promptTokens: sum((view) => view.promptTokens),
      generationTokens: sum((view) => view.generationTokens),
    };
  }

  get slippedUs(): number {
    return this.#cores.reduce((total, core) => total + core.slippedUs, 0);
  }

  close(): void {
    for (const core of this.#cores) core.close();
    this.#release.close();
  }
}

function wakeAt(us: number, wake: () => void): () => void {
  const timer = setTimeout(wake, Math.ceil(Math.max(0, us - monotonicUs()) / 1000));
  return () => clearTimeout(timer);
}
