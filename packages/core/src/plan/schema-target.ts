import { z } from "zod";
import { PLAN_DEFAULTS } from "./defaults.js";
import { TargetFacts } from "./schema-facts.js";
import { note } from "./schema-parts.js";
import { baseUrl, baseUrlProblem } from "./urls.js";

const BaseUrl = z
  .string()
  .refine((text) => baseUrlProblem(text) === undefined, {
    error: (issue) => baseUrlProblem(String(issue.input)),
    abort: true,
  })
  .refine((text) => z.url().safeParse(text).success, { error: "is no http or https URL" })
  .transform(baseUrl);

export const Target = z.strictObject({
  api: z
    .enum(["openai-chat", "openai-completions"])
    .default(PLAN_DEFAULTS.target.api)
    .meta(
      note("Which API the requests use. Completions send token ids, chat sends words.", {
        example: "openai-completions",
      }),
    ),
  urls: z
    .array(BaseUrl)
    .min(1)
    .max(1000)
    .meta(
      note("Base URLs; a trailing slash or /v1 is dropped. Several are used in turn by user or arrival.", {
        example: ["http://127.0.0.1:8000"],
      }),
    ),
  model: z
    .string()
    .min(1)
    .optional()
    .meta(
      note("Model name; found by /v1/models where it serves just one.", {
        example: "meta-llama/Llama-3.1-405B",
      }),
    ),
  apiKeyEnv: z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]*$/,
      "is no name of an environment variable: the key itself never stands in a plan",
    )
    .optional()
    .meta(
      note("Name of the environment variable, on the agents, that holds the API key. Never the key itself.", {
        example: "VLLM_API_KEY",
      }),
    ),
  apiKeyFile: z
    .string()
    .min(1)
    .optional()
    .meta(
      note("Path of a file, on the agents, that holds the API key. Either this or apiKeyEnv.", {
        example: "/run/secrets/api-key",
      }),
    ),
  tls: z
    .strictObject({
      caFile: z
        .string()
        .min(1)
        .optional()
        .meta(
          note("PEM file, on the agents, with the authorities to trust.", { example: "/etc/ssl/lab-ca.pem" }),
        ),
      serverName: z
        .string()
        .min(1)
        .optional()
        .meta(note("Name to ask for and to check (SNI).", { example: "llm.example" })),
      insecureSkipVerify: z
        .boolean()
        .default(PLAN_DEFAULTS.target.insecureSkipVerify)
        .meta(note("Accept any certificate.", { example: true })),
    })
    .optional()
    .meta(note("TLS options for https URLs.")),
  gpus: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .meta(note("Number of GPUs behind the target, for rates per GPU.", { unit: "GPUs", example: 8 })),
  facts: TargetFacts.optional().meta(
    note(
      "What you know of the deployment and the target does not tell: precision, AITER, ... Shown in report, page and comparison; nothing is computed from it.",
    ),
  ),
  reader: z
    .enum(["auto", "undici", "raw"])
    .default(PLAN_DEFAULTS.target.reader)
    .meta(
      note(
        "What reads the answers: undici (complete HTTP/1.1), raw (our own narrow parser, for many events), or auto: raw only where more events are planned for one agent process than undici carries with clean stamps.",
        { example: "raw" },
      ),
    ),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .meta(note("Further request headers; no secrets here.", { example: { "X-Tenant": "bench" } })),
});
