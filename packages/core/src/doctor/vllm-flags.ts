/** `value`: takes one; `values`: takes all that follow up to the next flag; `switch`: takes none, `--no-` turns it off. */
export type FlagKind = "value" | "values" | "switch";

/** Options of `vllm serve` that are known here, by what they take. Any other is named as unknown, and not judged. */
const FLAGS: Readonly<Record<FlagKind, string>> = {
  value: `
    model tokenizer tokenizer-mode revision code-revision tokenizer-revision task runner convert dtype seed
    hf-config-path hf-overrides hf-token config-format max-model-len quantization max-logprobs logprobs-mode
    model-impl override-generation-config generation-config override-pooler-config load-format download-dir
    model-loader-extra-config ignore-patterns guided-decoding-backend structured-outputs-config reasoning-parser
    distributed-executor-backend pipeline-parallel-size tensor-parallel-size data-parallel-size
    data-parallel-size-local data-parallel-rank data-parallel-start-rank data-parallel-address
    data-parallel-rpc-port data-parallel-backend decode-context-parallel-size prefill-context-parallel-size
    nnodes node-rank master-addr master-port max-parallel-loading-workers worker-cls worker-extension-cls
    all2all-backend eplb-config num-redundant-experts expert-placement-strategy
    block-size gpu-memory-utilization kv-cache-memory-bytes swap-space kv-cache-dtype num-gpu-blocks-override
    prefix-caching-hash-algo cpu-offload-gb kv-offloading-size kv-offloading-backend kv-transfer-config
    kv-events-config mamba-cache-dtype mamba-block-size
    limit-mm-per-prompt media-io-kwargs mm-processor-kwargs mm-processor-cache-gb mm-processor-cache-type
    mm-encoder-tp-mode mm-encoder-attn-backend video-pruning-rate
    max-num-batched-tokens max-num-seqs max-num-partial-prefills max-long-partial-prefills
    long-prefill-token-threshold scheduling-policy stream-interval scheduler-cls
    speculative-config compilation-config attention-backend attention-config optimization-level
    max-loras max-lora-rank lora-dtype max-cpu-loras otlp-traces-endpoint collect-detailed-traces
    show-hidden-metrics-for-version additional-config
    host port uds uvicorn-log-level chat-template chat-template-content-format response-role ssl-keyfile
    ssl-certfile ssl-ca-certs ssl-cert-reqs root-path tool-call-parser tool-parser-plugin log-config-file
    max-log-len h11-max-incomplete-event-size h11-max-header-count api-server-count config
    allowed-local-media-path allowed-origins allowed-methods allowed-headers`,
  values:
    "served-model-name api-key middleware lora-modules cudagraph-capture-sizes cuda-graph-sizes allowed-media-domains",
  switch: `
    trust-remote-code skip-tokenizer-init enforce-eager disable-sliding-window disable-cascade-attn
    enable-prompt-embeds enable-sleep-mode enable-prefix-caching calculate-kv-scales kv-sharing-fast-prefill
    enable-expert-parallel enable-eplb enable-dbo disable-custom-all-reduce ray-workers-use-nsight
    data-parallel-hybrid-lb data-parallel-external-lb interleave-mm-strings skip-mm-profiling
    disable-mm-preprocessor-cache enable-lora fully-sharded-loras enable-chunked-prefill
    disable-chunked-mm-input disable-hybrid-kv-cache-manager async-scheduling disable-log-stats aggregate-engine-logging
    enable-log-requests disable-log-requests disable-uvicorn-access-log allow-credentials enable-ssl-refresh
    return-tokens-as-token-ids disable-frontend-multiprocessing enable-request-id-headers enable-auto-tool-choice
    exclude-tools-when-tool-choice-none trust-request-chat-template enable-prompt-tokens-details
    enable-server-load-tracking enable-force-include-usage enable-tokenizer-info-endpoint disable-fastapi-docs
    enable-log-outputs enable-log-deltas headless enable-per-request-metrics kv-cache-metrics cudagraph-metrics
    use-tqdm-on-load`,
};

const SHORT: Readonly<Record<string, string>> = {
  tp: "tensor-parallel-size",
  pp: "pipeline-parallel-size",
  dp: "data-parallel-size",
  dcp: "decode-context-parallel-size",
  dpn: "data-parallel-rank",
  dpl: "data-parallel-size-local",
  dpa: "data-parallel-address",
  dpp: "data-parallel-rpc-port",
  dpb: "data-parallel-backend",
  ep: "enable-expert-parallel",
  q: "quantization",
  cc: "compilation-config",
  asc: "api-server-count",
  n: "nnodes",
  r: "node-rank",
  O: "optimization-level",
};

const KINDS: ReadonlyMap<string, FlagKind> = new Map(
  (["value", "values", "switch"] as const).flatMap((kind) =>
    FLAGS[kind]
      .trim()
      .split(/\s+/)
      .map((name): [string, FlagKind] => [name, kind]),
  ),
);

export interface KnownFlag {
  /** With its dashes, in the long form. */
  readonly flag: string;
  readonly kind: FlagKind;
  readonly isNegated: boolean;
}

/** `--tensor_parallel_size`, `-tp` and `--no-enable-prefix-caching` as vLLM reads them; undefined for an unknown one. */
export function knownFlag(word: string): KnownFlag | undefined {
  // The level may stand right behind the letter.
  if (/^-O\d$/.test(word)) return { flag: "--optimization-level", kind: "switch", isNegated: false };
  const isShort = /^-[^-]/.test(word);
  const bare = word.replace(/^--?/, "").replaceAll("_", "-");
  const name = isShort ? SHORT[bare] : bare;
  if (name === undefined) return undefined;
  const kind = KINDS.get(name);
  if (kind !== undefined) return { flag: `--${name}`, kind, isNegated: false };
  const positive = name.startsWith("no-") ? name.slice(3) : undefined;
  if (positive !== undefined && KINDS.get(positive) === "switch")
    return { flag: `--${positive}`, kind: "switch", isNegated: true };
  return undefined;
}
