import type { WireAnswer } from "@tokenstorm/agent";
import { type PrometheusSample, parsePrometheus } from "@tokenstorm/coordinator";
import { excerpt } from "@tokenstorm/core";
import { contentTypeOf, type Server } from "./server.js";

const SCRAPE_LIMIT_MS = 10_000;

/** One page of metrics. */
export interface Scrape {
  readonly answer: WireAnswer;
  readonly running: number;
  readonly waiting: number;
  readonly promptTokens: number;
  readonly generationTokens: number;
  /** Requests that ended by stop or length. */
  readonly successes: number;
  /** Series of counters and histograms, which never fall. */
  readonly counters: ReadonlyMap<string, number>;
  readonly names: ReadonlySet<string>;
}

export type Scraped =
  | { readonly kind: "page"; readonly scrape: Scrape }
  | { readonly kind: "none"; readonly why: string; readonly answer: WireAnswer };

export async function scrape(server: Server): Promise<Scraped> {
  const { target } = server;
  const answer = await target.ask(target.request("GET", "/metrics"), { limitMs: SCRAPE_LIMIT_MS });
  const why = problemOf(answer);
  if (why !== null) return { kind: "none", why, answer };
  const text = answer.body.toString("utf8");
  const types = typesIn(text);
  try {
    return { kind: "page", scrape: read(answer, parsePrometheus(text, namesIn(text)), types) };
  } catch (error) {
    return { kind: "none", why: error instanceof Error ? error.message : String(error), answer };
  }
}

function problemOf(answer: WireAnswer): string | null {
  if (answer.problem !== null) return answer.problem;
  if (answer.status !== 200) return `status ${answer.status}: ${excerpt(answer.body.toString("utf8"))}`;
  const type = contentTypeOf(answer);
  return /^(text\/plain|application\/openmetrics-text)\b/i.test(type)
    ? null
    : `content type ${type || "none"}`;
}

function namesIn(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^([a-zA-Z_:][a-zA-Z0-9_:]*)/gm)].map((match) => match[1] ?? ""));
}

function typesIn(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].map((match) => [match[1] ?? "", match[2] ?? ""]),
  );
}

function read(
  answer: WireAnswer,
  samples: readonly PrometheusSample[],
  types: ReadonlyMap<string, string>,
): Scrape {
  const sum = (name: string, isWanted: (sample: PrometheusSample) => boolean = () => true) =>
    samples
      .filter((sample) => sample.name === name && isWanted(sample))
      .reduce((total, { value }) => total + value, 0);
  const wasGood = ({ labels }: PrometheusSample) =>
    ["stop", "length"].includes(labels["finished_reason"] ?? "");
  return {
    answer,
    running: sum("vllm:num_requests_running"),
    waiting: sum("vllm:num_requests_waiting"),
    promptTokens: sum("vllm:prompt_tokens_total"),
    generationTokens: sum("vllm:generation_tokens_total"),
    successes: sum("vllm:request_success_total", wasGood),
    counters: new Map(
      samples
        .filter(({ name }) => neverFalls(name, types))
        .map(({ name, labels, value }) => [`${name}${labelText(labels)}`, value]),
    ),
    names: new Set(samples.map(({ name }) => name)),
  };
}

function neverFalls(name: string, types: ReadonlyMap<string, string>): boolean {
  if (types.get(name) === "counter" || types.get(name.replace(/_total$/, "")) === "counter") return true;
  return types.get(name.replace(/_(bucket|count|sum)$/, "")) === "histogram" && !types.has(name);
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return `{${pairs.sort().join(",")}}`;
}

/** Waits on the clock. */
export function pause(server: Pick<Server, "clock">, ms: number): Promise<void> {
  const { clock } = server;
  return new Promise((resolve) => clock.at(clock.nowUs() + ms * 1000, resolve));
}

const POLL_MS = 100;

/** Scrapes until the page is as wanted; the last page where the time runs out, undefined where there is none. */
export async function scrapeUntil(
  server: Server,
  isWanted: (scrape: Scrape) => boolean,
  limitMs: number,
): Promise<{ readonly scrape: Scrape; readonly isAsWanted: boolean } | undefined> {
  const endsUs = server.clock.nowUs() + limitMs * 1000;
  for (;;) {
    const scraped = await scrape(server);
    if (scraped.kind === "none") return undefined;
    const isAsWanted = isWanted(scraped.scrape);
    if (isAsWanted || server.clock.nowUs() >= endsUs) return { scrape: scraped.scrape, isAsWanted };
    await pause(server, POLL_MS);
  }
}
