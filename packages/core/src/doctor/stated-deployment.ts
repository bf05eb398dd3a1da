import type { Attention, Modality } from "./known-models.js";

export type Platform = "rocm" | "cuda";

/** The value of an option; true or false of a switch that was given or negated. */
export type ArgValue = string | boolean;

/** What a person says of a server: a command line, or one entry of a deployment file. What is absent was not said. */
export interface StatedDeployment {
  /** For reports: `the command line`, `kimi-k2.5`, `llama-3.1-405b, variant aiter-on`. */
  readonly name: string;
  /** Where it was stated: `the command line`, or the file. */
  readonly from: string;
  readonly model?: string | undefined;
  readonly image?: string | undefined;
  readonly engineVersion?: string | undefined;
  readonly platform?: Platform | undefined;
  readonly gpus?: number | undefined;
  readonly attention?: Attention | undefined;
  readonly modalities?: readonly Modality[] | undefined;
  /** Tokens. */
  readonly context?: number | undefined;
  /** The whole command is stated; else options and variables that are not among these are unknown, not unset. */
  readonly isWhole: boolean;
  /** By long name with its dashes. */
  readonly args: ReadonlyMap<string, ArgValue>;
  /** Options that are not known here; they are named, not judged. */
  readonly unknownFlags: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  /** Variables whose values come from elsewhere: `docker run -e NAME`. */
  readonly passedOn: readonly string[];
  /** An environment file was named that is not read: any variable may stand in it. */
  readonly hasEnvFile: boolean;
  /** Settings of the server's host, such as `kernel.numa_balancing`. */
  readonly host: ReadonlyMap<string, string>;
}
