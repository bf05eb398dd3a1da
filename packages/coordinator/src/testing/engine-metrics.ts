export interface EngineFigures {
  readonly running: number;
  readonly waiting: number;
  readonly promptTokens: number;
  readonly generationTokens: number;
}

/** A page as vLLM 0.14 writes it: of one engine, shortened. */
export function engineMetrics(figures: Partial<EngineFigures>): string {
  const { running = 0, waiting = 0, promptTokens = 0, generationTokens = 0 } = figures;
  const labels = '{engine="0",model_name="test-model"}';
  return `# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running${labels} ${running.toFixed(1)}
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting${labels} ${waiting.toFixed(1)}
vllm:engine_sleep_state{engine="0",model_name="test-model",sleep_state="awake"} 1.0
vllm:kv_cache_usage_perc${labels} 0.25
vllm:prompt_tokens_total${labels} ${promptTokens}
vllm:prompt_tokens_created${labels} 1.7e+09
vllm:generation_tokens_total${labels} ${generationTokens}
vllm:request_success_total{engine="0",finished_reason="stop",model_name="test-model"} 3.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="test-model"} 4.0
vllm:request_success_total{engine="0",finished_reason="abort",model_name="test-model"} 5.0
vllm:num_preemptions_total${labels} 0.0
vllm:prefix_cache_queries_total${labels} 1.234e+06
vllm:prefix_cache_hits_total${labels} 6.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="test-model"} 7.0
`;
}
