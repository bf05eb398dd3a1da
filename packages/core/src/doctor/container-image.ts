import type { Platform } from "./stated-deployment.js";

/** What an image is for, as far as its name says; undefined where it does not. */
export function imagePlatform(image: string): Platform | undefined {
  if (/rocm/i.test(image)) return "rocm";
  // The project publishes the one for CUDA under the plain name.
  return /(^|\/)vllm\/vllm-openai(:|@|$)/.test(image) ? "cuda" : undefined;
}

/** vLLM's version by the tag: `vllm/vllm-openai-rocm:v0.14.1`, `rocm/vllm:rocm6.4_vllm_0.10.1`; undefined for `latest`. */
export function imageEngineVersion(image: string): string | undefined {
  return /(?:\/vllm[^/:]*:v|vllm_)(\d+\.\d+(?:\.\d+)?(?:rc\d+)?)/.exec(image)?.[1];
}
