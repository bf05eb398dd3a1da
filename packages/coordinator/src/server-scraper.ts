import {
  type Cancel,
  type Clock,
  LoadError,
  type QuiescentScrape,
  type ServerSample,
  type TestPlan,
} from "@tokenstorm/core";
import type { HttpGet } from "./deps.js";
import { COORDINATOR_LIMITS } from "./limits.js";
import { pause } from "./ticker.js";
import { addServerMetrics, countersOf, readServerMetrics, type ServerMetrics } from "./vllm-metrics.js";

export interface ScraperOptions {
  readonly plan: TestPlan;
  readonly clock: Clock;
  readonly http: HttpGet;
  readonly onSample: (sample: ServerSample) => void;
  /** What a person should know: no metrics, a gap begins, it ends. */
  readonly onNote: (text: string) => void;
}

/**
 * Reads the target's metrics: at rest before and after the run, its gauges each interval in between. Nothing waits for
 * it but those two; what cannot be read is a gap.
 */
export class ServerScraper {
  readonly #options: ScraperOptions;
  readonly #urls: readonly string[];
  #isHurried = false;
  #hurry: () => void = () => undefined;
  #cancel: Cancel | undefined;
  #isWatching = false;
  #isAbsent = false;
  #isBusy = false;
  #isGap = false;
  #latest: ServerSample | null = null;

  constructor(options: ScraperOptions) {
    this.#options = options;
    this.#urls = metricsUrls(options.plan);
  }

  /** The last sample of the watch; null before the first, and in a gap. */
  get latest(): ServerSample | null {
    return this.#isGap ? null : this.#latest;
  }

  /**
   * Two scrapes 200 ms apart that are equal and show nothing running or waiting; at most 5 s are spent on it, then the
   * last one stands as not quiescent. Null where there are no metrics that can be read.
   */
  async quiescent(): Promise<QuiescentScrape | null> {
    const { clock } = this.#options;
    const untilUs = clock.nowUs() + COORDINATOR_LIMITS.quiescentMs * 1000;
    let before: ServerMetrics | undefined;
    let failure = "";
    while (!this.#isAbsent) {
      const scrape = await this.#scrape(COORDINATOR_LIMITS.scrapeTimeoutMs);
      if (scrape.kind === "absent") {
        this.#isAbsent = true;
        failure = scrape.reason;
        break;
      }
      if (scrape.kind === "failed") failure = scrape.reason;
      else if (
        before !== undefined &&
        isAtRest(before) &&
        isAtRest(scrape.metrics) &&
        isEqual(before, scrape.metrics)
      ) {
        return { quiescent: true, counters: countersOf(scrape.metrics) };
      } else before = scrape.metrics;
      if (this.#isHurried || clock.nowUs() >= untilUs) break;
      await this.#wait();
    }
    if (before === undefined || this.#isAbsent) {
      if (failure !== "") this.#options.onNote(`no metrics of the target: ${failure}`);
      return null;
    }
    const open = `${before.running} running, ${before.waiting} waiting`;
    this.#options.onNote(`the target is not at rest (${open}): its counters are not this run's alone`);
    return { quiescent: false, counters: countersOf(before) };
  }

  /** From time zero on, at multiples of the interval in run time. */
  watch(startUs: number): void {
    if (this.#isAbsent || this.#isWatching) return;
    this.#isWatching = true;
    const { clock, plan } = this.#options;
    const intervals = Math.ceil(COORDINATOR_LIMITS.scrapeLeastMs / plan.intervalMs);
    const periodUs = plan.intervalMs * intervals * 1000;
    const next = () => {
      const passed = Math.max(0, Math.floor((clock.nowUs() - startUs) / periodUs) + 1);
      this.#cancel = clock.at(startUs + passed * periodUs, () => {
        next();
        // Still waiting for the one before: this one is a gap.
        if (!this.#isBusy) void this.#sample(startUs, periodUs);
      });
    };
    if (clock.nowUs() >= startUs) next();
    else this.#cancel = clock.at(startUs, () => next());
  }

  /** No further samples. May be called twice. */
  stopWatching(): void {
    this.#isWatching = false;
    this.#cancel?.();
  }

  /** Whatever is waited for gives up. */
  hurry(): void {
    this.#isHurried = true;
    this.#hurry();
  }

  async #sample(startUs: number, periodUs: number): Promise<void> {
    const { clock } = this.#options;
    this.#isBusy = true;
    const sentUs = clock.nowUs();
    const timeoutMs = Math.min(COORDINATOR_LIMITS.scrapeTimeoutMs, Math.floor((periodUs / 1000) * 0.9));
    const scrape = await this.#scrape(Math.max(1, timeoutMs));
    this.#isBusy = false;
    if (!this.#isWatching) return;
    if (scrape.kind !== "read") {
      if (!this.#isGap) this.#options.onNote(`the target's metrics cannot be read: ${scrape.reason}`);
      this.#isGap = true;
      return;
    }
    if (this.#isGap) this.#options.onNote("the target's metrics can be read again");
    this.#isGap = false;
    // They were true at some moment between question and answer.
    const tUs = Math.round((sentUs + clock.nowUs()) / 2) - startUs;
    this.#latest = { tUs, ...scrape.metrics };
    this.#options.onSample(this.#latest);
  }

  async #scrape(timeoutMs: number): Promise<Scrape> {
    const pages = await Promise.all(this.#urls.map((url) => scrapeOne(this.#options.http, url, timeoutMs)));
    const read: ServerMetrics[] = [];
    for (const page of pages) {
      // Part of the replicas' sum would look like the whole.
      if (page.kind !== "read") return page;
      read.push(page.metrics);
    }
    return { kind: "read", metrics: addServerMetrics(read) };
  }

  async #wait(): Promise<void> {
    const { over, hurry } = pause(this.#options.clock, COORDINATOR_LIMITS.quiescentGapMs);
    this.#hurry = hurry;
    await over;
  }
}

type Scrape =
  | { readonly kind: "read"; readonly metrics: ServerMetrics }
  /** It may work the next time. */
  | { readonly kind: "failed"; readonly reason: string }
  /** There are none. */
  | { readonly kind: "absent"; readonly reason: string };

async function scrapeOne(http: HttpGet, url: string, timeoutMs: number): Promise<Scrape> {
  let answer: { readonly status: number; readonly body: string };
  try {
    answer = await http(url, { timeoutMs });
  } catch (error) {
    // A LoadError says that it may not be asked, which time does not change.
    const kind = error instanceof LoadError ? "absent" : "failed";
    return { kind, reason: `${url}: ${reasonOf(error)}` };
  }
  if (answer.status >= 500) return { kind: "failed", reason: `${url} answers ${answer.status}` };
  if (answer.status !== 200) return { kind: "absent", reason: `${url} answers ${answer.status}` };
  try {
    return { kind: "read", metrics: readServerMetrics(answer.body) };
  } catch (error) {
    return { kind: "absent", reason: `${url}: ${reasonOf(error)}` };
  }
}

/** Where the plan says, else at each of the target's URLs. */
function metricsUrls(plan: TestPlan): string[] {
  return [...new Set(plan.metricsUrls ?? plan.target.urls.map((url) => `${url}/metrics`))];
}

function isAtRest(metrics: ServerMetrics): boolean {
  return metrics.running === 0 && metrics.waiting === 0;
}

function isEqual(one: ServerMetrics, other: ServerMetrics): boolean {
  return JSON.stringify(countersOf(one)) === JSON.stringify(countersOf(other));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.message.split("\n")[0] ?? error.message) : String(error);
}
