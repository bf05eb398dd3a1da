export type Attention = "MLA" | "GQA";
export type Modality = "text" | "image";
export type KnownModelId = "llama-3.1-405b" | "deepseek-v3.2" | "qwen3-vl-235b" | "kimi-k2.5";

/** What the rules need to know of a model; from the study's deployments and the models' published configurations. */
export interface KnownModel {
  readonly id: KnownModelId;
  readonly attention: Attention;
  /** Query heads. */
  readonly heads: number;
  /** Heads of the KV cache; null where the latent is not split (MLA). */
  readonly kvHeads: number | null;
  /** Tokens. */
  readonly context: number;
  readonly modalities: readonly Modality[];
}

const MODELS: readonly (KnownModel & { readonly name: RegExp })[] = [
  {
    id: "llama-3.1-405b",
    name: /^(meta-)?llama-3\.1-405b/,
    attention: "GQA",
    heads: 128,
    kvHeads: 8,
    // The study rounds it to 128,000; the configuration has 131,072.
    context: 131_072,
    modalities: ["text"],
  },
  {
    id: "deepseek-v3.2",
    name: /^deepseek-v3\.2/,
    attention: "MLA",
    heads: 128,
    kvHeads: null,
    context: 163_840,
    modalities: ["text"],
  },
  {
    id: "qwen3-vl-235b",
    name: /^qwen3-vl-235b/,
    attention: "GQA",
    heads: 64,
    kvHeads: 4,
    // The study rounds it to 256,000; the configuration has 262,144.
    context: 262_144,
    modalities: ["text", "image"],
  },
  {
    id: "kimi-k2.5",
    name: /^kimi-k2\.5/,
    attention: "MLA",
    heads: 64,
    kvHeads: null,
    context: 262_144,
    modalities: ["text", "image"],
  },
];

/** By the last part of a repository's name or a path, whatever its case. Undefined for any other model. */
export function knownModel(name: string): KnownModel | undefined {
  const last = name.replace(/\/+$/, "").split("/").at(-1)?.toLowerCase() ?? "";
  return MODELS.find((model) => model.name.test(last));
}
