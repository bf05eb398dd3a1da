/** What a running target told when it was asked; what it did not tell is absent. */
export interface SeenServer {
  readonly url: string;
  /** Of /v1/models. */
  readonly models: readonly {
    readonly id: string;
    /** The path or repository that was loaded; the id may be a name of its own. */
    readonly root?: string | undefined;
    /** Tokens. */
    readonly maxModelLen?: number | undefined;
  }[];
  /** Of /version. */
  readonly version?: string | undefined;
  /** Labels of `vllm:cache_config_info`. */
  readonly cacheConfig?: Readonly<Record<string, string>> | undefined;
}

/** Which label of `vllm:cache_config_info` shows an option. */
export const CACHE_LABELS: Readonly<Record<string, string>> = {
  "--block-size": "block_size",
  "--kv-cache-dtype": "cache_dtype",
  "--gpu-memory-utilization": "gpu_memory_utilization",
  "--enable-prefix-caching": "enable_prefix_caching",
  "--kv-offloading-size": "kv_offloading_size",
  "--kv-offloading-backend": "kv_offloading_backend",
};
