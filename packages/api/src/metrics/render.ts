import { isTerminal, judgeVitals, type LiveStage, type LiveUpdate, vitalsFactor } from "@tokenstorm/core";
import type { HeardAgent } from "@tokenstorm/protocol";
import type { ApiLimits } from "../limits.js";
import type { FamilyName } from "./families.js";
import { type Labels, MetricsPage } from "./page.js";

export interface MetricsInput {
  readonly version: string;
  readonly isLeading: boolean;
  readonly leader: { readonly term: number; readonly refusals?: number | undefined } | undefined;
  /** Of each run under way and the last that ended. */
  readonly runs: readonly LiveUpdate[];
  readonly agents: readonly HeardAgent[];
  readonly droppedHeartbeats: number;
  readonly streams: { readonly open: number; readonly dropped: number };
  readonly limits: ApiLimits;
}

/** The page at /metrics. Bounded by the limits, whatever the bus says. */
export function renderMetrics(input: MetricsInput): string {
  const { leader, limits, streams } = input;
  const page = new MetricsPage(limits);
  page.add("tokenstorm_build_info", { version: input.version, node: process.version }, 1);
  page.add("tokenstorm_leading", {}, input.isLeading ? 1 : 0);
  if (leader !== undefined) {
    page.add("tokenstorm_leader_term", {}, leader.term);
    page.add("tokenstorm_leader_refused_messages_total", {}, leader.refusals ?? 0);
  }
  for (const update of input.runs) addRun(page, update);
  addAgents(page, input);
  page.add("tokenstorm_http_live_streams", {}, streams.open);
  page.add("tokenstorm_http_live_streams_dropped_total", {}, streams.dropped);
  return page.text();
}

function addRun(page: MetricsPage, update: LiveUpdate): void {
  const run = { run: update.run, name: update.name };
  page.add("tokenstorm_run_info", { ...run, state: update.state }, 1);
  page.add("tokenstorm_run_time_seconds", run, seconds(update.runTimeUs));
  for (const [reason, count] of Object.entries(update.failures)) {
    page.add("tokenstorm_request_failures_total", { ...run, reason }, count);
  }
  const stages = update.stages ?? [];
  const names = stageNames(stages);
  // Once it is over, only what was counted is true of it.
  const isNow = !isTerminal(update.state);
  stages.forEach((stage, i) => {
    addStage(page, { ...run, stage: names[i] ?? stage.name }, { stage, update, isNow });
  });
  if (!isNow) return;
  const nameOf = (index: number) => {
    const own = index === update.stage?.index ? update.stage.name : String(index);
    return names[stages.findIndex((stage) => stage.index === index)] ?? own;
  };
  const measured = measuredStage(update);
  if (measured !== undefined) addMeasured(page, { ...run, stage: nameOf(measured) }, update);
  const { asked } = update.inFlight;
  if (update.stage !== null && asked !== null) {
    page.add("tokenstorm_requests_in_flight_asked", { ...run, stage: nameOf(update.stage.index) }, asked);
  }
  if (update.server === null) return;
  page.add("tokenstorm_server_requests_running", run, update.server.running);
  page.add("tokenstorm_server_requests_waiting", run, update.server.waiting);
  page.add("tokenstorm_server_kv_cache_usage_ratio", run, update.server.kvUsage);
}

/** What the figures of the last interval are of: at an edge the stage before. A leader of an older version says only where the run is. */
function measuredStage({ measuredStage, stage }: LiveUpdate): number | undefined {
  return measuredStage ?? stage?.index;
}

/** Two stages may share a name; their series may not. */
function stageNames(stages: readonly LiveStage[]): string[] {
  const isShared = (name: string) => stages.filter((stage) => stage.name === name).length > 1;
  return stages.map(({ index, name }) => (isShared(name) ? `${name} (${index})` : name));
}

const LATENCIES = {
  ttft: "tokenstorm_time_to_first_token_seconds",
  itl: "tokenstorm_inter_token_latency_seconds",
  e2e: "tokenstorm_e2e_request_latency_seconds",
} as const satisfies Record<keyof LiveStage["latencyUs"], FamilyName>;

const OUTCOMES = ["completed", "failed", "cancelled", "dropped", "unknown", "censored"] as const;

function addStage(
  page: MetricsPage,
  labels: Labels,
  of: { readonly stage: LiveStage; readonly update: LiveUpdate; readonly isNow: boolean },
): void {
  const { stage, update, isNow } = of;
  page.add("tokenstorm_requests_offered_total", labels, stage.offered);
  for (const outcome of OUTCOMES)
    page.add("tokenstorm_requests_total", { ...labels, outcome }, stage[outcome]);
  page.add("tokenstorm_output_tokens_total", labels, stage.outputTokens);
  page.add("tokenstorm_prompt_tokens_total", labels, stage.promptTokens);
  const isMeasured = isNow && measuredStage(update) === stage.index;
  for (const metric of ["ttft", "itl", "e2e"] as const) {
    const { sum, count } = stage.latencyUs[metric];
    const quantiles = isMeasured ? quantilesOf(update.latencyUs[metric]) : {};
    page.addSummary(LATENCIES[metric], labels, { quantiles, sum: seconds(sum), count });
  }
}

function quantilesOf({ count, p50, p90, p99 }: LiveUpdate["latencyUs"]["ttft"]): Record<string, number> {
  const value = (us: number | undefined) => (count === 0 || us === undefined ? Number.NaN : seconds(us));
  return { "0.5": value(p50), "0.9": value(p90), "0.99": value(p99) };
}

function addMeasured(page: MetricsPage, labels: Labels, update: LiveUpdate): void {
  const { inFlight, rates } = update;
  page.add("tokenstorm_requests_in_flight", labels, inFlight.measured);
  page.add("tokenstorm_requests_per_second", labels, rates.requestsPerS);
  page.add("tokenstorm_output_tokens_per_second", labels, rates.outputTokensPerS);
  page.add("tokenstorm_prompt_tokens_per_second", labels, rates.promptTokensPerS);
}

function addAgents(page: MetricsPage, { agents, droppedHeartbeats, runs, limits }: MetricsInput): void {
  const byState = new Map<string, number>();
  for (const { heartbeat } of agents) byState.set(heartbeat.state, (byState.get(heartbeat.state) ?? 0) + 1);
  for (const [state, count] of byState) page.add("tokenstorm_agents", { state }, count);
  const listed = agents.slice(0, limits.metricAgents);
  page.add("tokenstorm_agents_unlisted", {}, agents.length - listed.length);
  page.add("tokenstorm_heartbeats_dropped_total", {}, droppedHeartbeats);
  // The leader knows the limits that follow the run's own token latency. What it said of a run that is over is no news.
  const underWay = runs.filter(({ state }) => !isTerminal(state));
  const colours = new Map(underWay.flatMap((run) => run.agents.map(({ id, colour }) => [id, colour])));
  for (const agent of listed) addAgent(page, agent, colours.get(agent.heartbeat.agent));
}

const COLOUR_NUMBERS = { green: 0, yellow: 1, red: 2 } as const;

function addAgent(
  page: MetricsPage,
  { heartbeat, silentMs }: HeardAgent,
  colour: keyof typeof COLOUR_NUMBERS | undefined,
): void {
  const { agent, host, vitals, ledger, refusals } = heartbeat;
  const labels = { agent, host };
  page.add("tokenstorm_agent_silence_seconds", labels, silentMs / 1000);
  page.add("tokenstorm_agent_requests_in_flight", labels, ledger?.inFlight ?? 0);
  page.add("tokenstorm_agent_refused_messages_total", labels, refusals);
  if (vitals === null) return;
  const judged = colour ?? judgeVitals(vitals, vitalsFactor(null)).colour;
  page.add("tokenstorm_agent_colour", labels, COLOUR_NUMBERS[judged]);
  page.add("tokenstorm_agent_cpu_cores", labels, vitals.cpu);
  page.add("tokenstorm_agent_loop_delay_p99_seconds", labels, seconds(vitals.loopDelayP99Us));
  page.add("tokenstorm_agent_schedule_lag_p99_seconds", labels, seconds(vitals.scheduleLagP99Us));
  page.add("tokenstorm_agent_resident_memory_bytes", labels, vitals.rssBytes);
  page.add("tokenstorm_agent_open_sockets", labels, vitals.openSockets);
  page.add("tokenstorm_agent_open_descriptors", labels, vitals.descriptors);
  page.add("tokenstorm_agent_max_descriptors", labels, vitals.descriptorLimit);
  page.add("tokenstorm_agent_coalesced_events_ratio", labels, vitals.coalescedShare);
}

const seconds = (us: number): number => us / 1e6;
