/** A family of the metrics page. */
export interface Family {
  readonly type: "counter" | "gauge" | "summary";
  readonly help: string;
  /** Beside `quantile` of a summary. */
  readonly labels: readonly string[];
}

const RUN = ["run", "name"] as const;
const STAGE = [...RUN, "stage"] as const;
const AGENT = ["agent", "host"] as const;

/** Every family there is, in the page's order. docs/http-api.md has the same table, made from this one. */
export const FAMILIES = {
  tokenstorm_build_info: {
    type: "gauge",
    help: "Version of this coordinator and of its Node.js; always 1.",
    labels: ["version", "node"],
  },
  tokenstorm_leading: { type: "gauge", help: "1 while this coordinator leads, else 0.", labels: [] },
  tokenstorm_leader_term: {
    type: "gauge",
    help: "Term of the coordinator that leads, this one or another.",
    labels: [],
  },
  tokenstorm_leader_refused_messages_total: {
    type: "counter",
    help: "Messages that the leader refused as malformed, in its term.",
    labels: [],
  },
  tokenstorm_run_info: {
    type: "gauge",
    help: "A run under way, or the one that ended last, and its state; always 1.",
    labels: [...RUN, "state"],
  },
  tokenstorm_run_time_seconds: { type: "gauge", help: "Time since a run's time zero.", labels: RUN },
  tokenstorm_requests_in_flight: {
    type: "gauge",
    help: "Requests in flight: mean of the last complete interval over all agents.",
    labels: STAGE,
  },
  tokenstorm_requests_in_flight_asked: {
    type: "gauge",
    help: "Requests that the plan wants in flight now; absent for open load.",
    labels: STAGE,
  },
  tokenstorm_requests_per_second: {
    type: "gauge",
    help: "Requests completed per second in the last complete interval.",
    labels: STAGE,
  },
  tokenstorm_output_tokens_per_second: {
    type: "gauge",
    help: "Generated tokens received per second in the last complete interval.",
    labels: STAGE,
  },
  tokenstorm_prompt_tokens_per_second: {
    type: "gauge",
    help: "Prompt tokens per second in the last complete interval.",
    labels: STAGE,
  },
  tokenstorm_time_to_first_token_seconds: {
    type: "summary",
    help: "From the sending of a request to its first token. Quantiles: the last 10 s of the stage that was measured last.",
    labels: STAGE,
  },
  tokenstorm_inter_token_latency_seconds: {
    type: "summary",
    help: "Time per token between two arrivals. Quantiles: the last 10 s of the stage that was measured last.",
    labels: STAGE,
  },
  tokenstorm_e2e_request_latency_seconds: {
    type: "summary",
    help: "From the sending of a request to its end, if it completed. Quantiles: the last 10 s of the stage that was measured last.",
    labels: STAGE,
  },
  tokenstorm_requests_offered_total: {
    type: "counter",
    help: "Requests that were due in a stage.",
    labels: STAGE,
  },
  tokenstorm_requests_total: {
    type: "counter",
    help: "Requests due in a stage, by what became of them.",
    labels: [...STAGE, "outcome"],
  },
  tokenstorm_request_failures_total: {
    type: "counter",
    help: "Failed requests by reason.",
    labels: [...RUN, "reason"],
  },
  tokenstorm_output_tokens_total: {
    type: "counter",
    help: "Generated tokens received in a stage.",
    labels: STAGE,
  },
  tokenstorm_prompt_tokens_total: {
    type: "counter",
    help: "Prompt tokens of requests whose usage came in a stage.",
    labels: STAGE,
  },
  tokenstorm_server_requests_running: {
    type: "gauge",
    help: "Requests that the target says it is running, over its replicas.",
    labels: RUN,
  },
  tokenstorm_server_requests_waiting: {
    type: "gauge",
    help: "Requests that the target says are waiting, over its replicas.",
    labels: RUN,
  },
  tokenstorm_server_kv_cache_usage_ratio: {
    type: "gauge",
    help: "Share of the target's KV cache in use: the fullest replica's.",
    labels: RUN,
  },
  tokenstorm_agents: { type: "gauge", help: "Agents that are heard now, by state.", labels: ["state"] },
  tokenstorm_agents_unlisted: {
    type: "gauge",
    help: "Agents without series of their own: the page has a bound.",
    labels: [],
  },
  tokenstorm_heartbeats_dropped_total: {
    type: "counter",
    help: "Heartbeats of agents beyond those that are kept at all.",
    labels: [],
  },
  tokenstorm_agent_colour: {
    type: "gauge",
    help: "Trust in an agent's last interval: 0 green, 1 yellow, 2 red.",
    labels: AGENT,
  },
  tokenstorm_agent_silence_seconds: {
    type: "gauge",
    help: "Time since an agent's last heartbeat.",
    labels: AGENT,
  },
  tokenstorm_agent_requests_in_flight: {
    type: "gauge",
    help: "Requests in flight at an agent.",
    labels: AGENT,
  },
  tokenstorm_agent_cpu_cores: {
    type: "gauge",
    help: "CPU that an agent's process uses: 1 is one core.",
    labels: AGENT,
  },
  tokenstorm_agent_loop_delay_p99_seconds: {
    type: "gauge",
    help: "99th percentile of an agent's event-loop delay.",
    labels: AGENT,
  },
  tokenstorm_agent_schedule_lag_p99_seconds: {
    type: "gauge",
    help: "99th percentile of the time from a request's due time to its sending.",
    labels: AGENT,
  },
  tokenstorm_agent_resident_memory_bytes: {
    type: "gauge",
    help: "Resident memory of an agent's process.",
    labels: AGENT,
  },
  tokenstorm_agent_open_sockets: { type: "gauge", help: "Sockets to the target.", labels: AGENT },
  tokenstorm_agent_open_descriptors: { type: "gauge", help: "Open file descriptors.", labels: AGENT },
  tokenstorm_agent_max_descriptors: {
    type: "gauge",
    help: "File descriptors that are allowed.",
    labels: AGENT,
  },
  tokenstorm_agent_coalesced_events_ratio: {
    type: "gauge",
    help: "Share of token events that falsely shared a read.",
    labels: AGENT,
  },
  tokenstorm_agent_refused_messages_total: {
    type: "counter",
    help: "Messages that an agent refused as malformed.",
    labels: AGENT,
  },
  tokenstorm_http_live_streams: { type: "gauge", help: "Open streams of live updates.", labels: [] },
  tokenstorm_http_live_streams_dropped_total: {
    type: "counter",
    help: "Streams that were closed because their reader did not keep up.",
    labels: [],
  },
} as const satisfies Readonly<Record<string, Family>>;

export type FamilyName = keyof typeof FAMILIES;

/** The table of docs/http-api.md. */
export function metricsTable(): string {
  const rows = Object.entries(FAMILIES).map(
    ([name, { type, help, labels }]: [string, Family]) =>
      `| \`${name}\` | ${type} | ${labels.join(", ")} | ${help} |`,
  );
  return ["| metric | type | labels | meaning |", "|---|---|---|---|", ...rows].join("\n");
}
