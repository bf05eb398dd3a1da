import { z } from "zod";
import { note } from "./schema-parts.js";

const text = z.string().min(1).max(1000);

/** What is known of a deployment. Shown in the report beside the figures; nothing is computed from it but rates per GPU. */
export const DeploymentFacts = z.strictObject({
  model: text.optional().meta(note("The model, as a person calls it.", { example: "Llama-3.1-405B" })),
  paramsTotalB: z
    .number()
    .positive()
    .optional()
    .meta(note("All parameters.", { unit: "10^9", example: 685 })),
  paramsActiveB: z
    .number()
    .positive()
    .optional()
    .meta(note("Parameters that take part in one token.", { unit: "10^9", example: 37 })),
  attention: text.optional().meta(note("Kind of attention.", { example: "MLA" })),
  precision: text.optional().meta(note("Of the weights.", { example: "FP8" })),
  kvDtype: text.optional().meta(note("Type of the KV cache.", { example: "fp8" })),
  kvOffloadGiB: z
    .number()
    .min(0)
    .optional()
    .meta(note("Memory for offloaded KV blocks; 0 is none.", { unit: "GiB", example: 64 })),
  blockSize: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .meta(note("Tokens of a KV block.", { unit: "tokens", example: 1 })),
  gpu: text.optional().meta(note("Kind of GPU.", { example: "MI325X" })),
  gpus: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .meta(note("How many serve the model.", { unit: "GPUs", example: 8 })),
  tensorParallel: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .meta(note("Tensor parallelism.", { unit: "GPUs", example: 8 })),
  aiter: z
    .enum(["on", "off", "default"])
    .optional()
    .meta(note("AMD's AITER kernels; `default` is what the engine does by itself.", { example: "on" })),
  engine: text.optional().meta(note("What serves.", { example: "vLLM" })),
  engineVersion: text.optional().meta(note("Its version.", { example: "0.14.1" })),
  serve: text.optional().meta(
    note("The line that starts it, for the reader; it is never run from here.", {
      example: "vllm serve meta-llama/Llama-3.1-405B-Instruct --tensor-parallel-size 8",
    }),
  ),
  env: z
    .record(z.string(), z.string())
    .optional()
    .meta(note("Environment of that line; no secrets.", { example: { VLLM_ROCM_USE_AITER: "1" } })),
  more: z
    .record(z.string(), z.string())
    .optional()
    .meta(note("Anything else that a reader should know.", { example: { rocm: "6.4.2" } })),
});
export type DeploymentFacts = z.output<typeof DeploymentFacts>;

/** In a plan, where model and number of GPUs are the target's own keys. */
export const TargetFacts = DeploymentFacts.omit({ model: true, gpus: true });
export type TargetFacts = z.output<typeof TargetFacts>;
