import { z } from "zod";
import { imagePlatform } from "./container-image.js";
import type { Attention, Modality } from "./known-models.js";
import type { ArgValue, Platform, StatedDeployment } from "./stated-deployment.js";
import { knownFlag } from "./vllm-flags.js";

const Value = z.union([z.string().max(10_000), z.number(), z.boolean()]);
const Args = z.record(
  z
    .string()
    .regex(/^--?[A-Za-z]/, "an option begins with --")
    .max(200),
  Value,
);
const Env = z.record(
  z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "it is no name of a variable")
    .max(200),
  Value,
);
const Text = z.string().min(1).max(1000);

const Variant = z.object({ name: Text, args: Args.optional(), env: Env.optional() });
const Model = z.object({
  id: Text.optional(),
  model: Text,
  attention: z.string().max(200).optional(),
  modalities: z.array(z.string().max(40)).max(20).optional(),
  context: z.number().int().positive().optional(),
  image: Text.optional(),
  gpus: z.number().int().positive().optional(),
  vllm: Text.optional(),
  platform: z.enum(["rocm", "cuda"]).optional(),
  args: Args.optional(),
  env: Env.optional(),
  chat_args: Args.optional(),
  variants: z.array(Variant).max(100).optional(),
  host: z.record(Text, z.union([z.string(), z.number()])).optional(),
});
type Model = z.infer<typeof Model>;
const Stack = z.object({
  gpu: z.string().max(200).optional(),
  rocm: z.union([z.string(), z.number()]).optional(),
  cuda: z.union([z.string(), z.number()]).optional(),
  vllm: Text.optional(),
});
type Stack = z.infer<typeof Stack>;
const File = z.object({ stack: Stack.optional(), models: z.array(Model).min(1).max(1000) });

export type ParsedDeployments =
  | { readonly kind: "deployments"; readonly deployments: readonly StatedDeployment[] }
  | { readonly kind: "problem"; readonly message: string };

/**
 * Deployments of a file in the study's form: `{stack?, models: [{model, args, env, image, gpus, ..., variants?}]}`, or one
 * such model alone. Each variant, and the options for chat, make a deployment of their own. Keys that it does not know
 * are passed over.
 */
export function parseDeployments(input: unknown, from: string): ParsedDeployments {
  const isFile = typeof input === "object" && input !== null && "models" in input;
  const parsed = isFile ? File.safeParse(input) : Model.safeParse(input);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") ?? "";
    // Of a wrong key zod says only that it is one; why stands within.
    const why = issue?.code === "invalid_key" ? issue.issues[0]?.message : issue?.message;
    return { kind: "problem", message: `${where === "" ? "it" : where}: ${why ?? "is wrong"}` };
  }
  const { stack, models } =
    "models" in parsed.data ? parsed.data : { stack: undefined, models: [parsed.data] };
  return { kind: "deployments", deployments: models.flatMap((model) => deploymentsOf(model, stack, from)) };
}

function deploymentsOf(model: Model, stack: Stack | undefined, from: string): StatedDeployment[] {
  const id = model.id ?? model.model;
  const variants: { readonly name: string; readonly args?: Model["args"]; readonly env?: Model["env"] }[] = [
    { name: id },
    ...(model.variants ?? []).map((variant) => ({ ...variant, name: `${id}, variant ${variant.name}` })),
    ...(model.chat_args === undefined ? [] : [{ name: `${id}, with chat_args`, args: model.chat_args }]),
  ];
  return variants.map(({ name, args, env }) => {
    const flags = readArgs({ ...model.args, ...args });
    return {
      name,
      from,
      model: model.model,
      image: model.image,
      engineVersion: model.vllm ?? stack?.vllm,
      platform: model.platform ?? platformOf(stack, model.image),
      gpus: model.gpus,
      attention: attentionOf(model.attention),
      modalities: model.modalities?.filter((one): one is Modality => one === "text" || one === "image"),
      context: model.context,
      isWhole: true,
      ...flags,
      env: new Map(Object.entries({ ...model.env, ...env }).map(([key, value]) => [key, String(value)])),
      passedOn: [],
      hasEnvFile: false,
      host: new Map(Object.entries(model.host ?? {}).map(([key, value]) => [key, String(value)])),
    };
  });
}

/** Of `MLA (sparse, indexer)` the first word. */
function attentionOf(text: string | undefined): Attention | undefined {
  if (text === undefined) return undefined;
  if (/^MLA\b/i.test(text)) return "MLA";
  return /^(GQA|MHA|MQA)\b/i.test(text) ? "GQA" : undefined;
}

function platformOf(stack: Stack | undefined, image: string | undefined): Platform | undefined {
  if (stack?.rocm !== undefined || /\bgfx\d/.test(stack?.gpu ?? "")) return "rocm";
  return stack?.cuda !== undefined ? "cuda" : imagePlatform(image ?? "");
}

function readArgs(input: Readonly<Record<string, string | number | boolean>>): {
  readonly args: ReadonlyMap<string, ArgValue>;
  readonly unknownFlags: readonly string[];
} {
  const args = new Map<string, ArgValue>();
  const unknownFlags: string[] = [];
  for (const [name, value] of Object.entries(input)) {
    const known = knownFlag(name);
    if (known === undefined) unknownFlags.push(name);
    else if (known.kind === "switch")
      args.set(known.flag, (value !== false && value !== "false") !== known.isNegated);
    else args.set(known.flag, String(value));
  }
  return { args, unknownFlags };
}
