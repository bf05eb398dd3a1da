import type { KnownModelId } from "./known-models.js";

/** What an option or variable that was not given counts as, and why. */
export interface Unset {
  readonly countsAs: string;
  readonly because: string;
  /** Models for which it is not known what it counts as. */
  readonly notKnownFor?: { readonly models: readonly KnownModelId[]; readonly because: string };
}

/** What a rule asks for, over known facts. `arg` is an option of `vllm serve`, `env` a variable of the server. */
export type RuleCondition =
  | { readonly kind: "arg-is"; readonly flag: string; readonly value: string; readonly unset: Unset }
  | { readonly kind: "env-is"; readonly name: string; readonly value: string; readonly unset: Unset }
  | { readonly kind: "args-not-given"; readonly flags: readonly string[] }
  /** The option may be given, with another value than one that begins so. */
  | {
      readonly kind: "arg-not-like";
      readonly flag: string;
      readonly prefix: string;
      readonly except?: readonly string[];
    }
  /** The model's name has no such word: another set of weights. */
  | { readonly kind: "model-name-lacks"; readonly word: string }
  | { readonly kind: "image-or-build-is"; readonly word: string }
  | { readonly kind: "heads-divide" }
  | { readonly kind: "gpus-suffice" }
  | { readonly kind: "context-fits" }
  /** Where an option is given, another must be too. */
  | { readonly kind: "given-with"; readonly flag: string; readonly needs: string }
  | { readonly kind: "arg-between"; readonly flag: string; readonly least: number; readonly most: number }
  | { readonly kind: "host-setting-is"; readonly name: string; readonly value: string }
  | { readonly kind: "all"; readonly of: readonly RuleCondition[] };
