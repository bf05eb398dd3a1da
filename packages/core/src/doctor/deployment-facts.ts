import { imageEngineVersion } from "./container-image.js";
import { type Fact, preferSeen, seen, stated, unknown } from "./fact.js";
import { type Attention, type KnownModel, knownModel, type Modality } from "./known-models.js";
import { CACHE_LABELS, type SeenServer } from "./seen-server.js";
import type { ArgValue, Platform, StatedDeployment } from "./stated-deployment.js";

/** Everything that is known of one deployment; null is what is known to be unset. */
export interface DeploymentFacts {
  readonly model: Fact<string>;
  /** Undefined where the model is none that the rules know. */
  readonly known: KnownModel | undefined;
  readonly attention: Fact<Attention>;
  readonly modalities: Fact<readonly Modality[]>;
  readonly context: Fact<number>;
  readonly engineVersion: Fact<string>;
  readonly image: Fact<string | null>;
  readonly platform: Fact<Platform>;
  readonly gpus: Fact<number>;
  arg(flag: string): Fact<ArgValue | null>;
  env(name: string): Fact<string | null>;
  hostSetting(name: string): Fact<string>;
}

export interface FactSources {
  readonly stated?: StatedDeployment | undefined;
  readonly seen?: SeenServer | undefined;
  /** Settings of the server's host that were read there. */
  readonly seenHost?: ReadonlyMap<string, string> | undefined;
}

export function deploymentFacts(sources: FactSources): DeploymentFacts {
  const { stated: said, seen: server, seenHost } = sources;
  const model = preferSeen(seenModel(server), saidOf(said, said?.model, "no model is named"));
  const known = model.kind === "unknown" ? undefined : (knownRoot(server) ?? knownModel(model.value));
  // What is known of a model by its name is as sure as its name.
  const byName = <Value>(value: Value | undefined, what: string): Fact<Value> => {
    if (value === undefined || model.kind === "unknown")
      return unknown(`${what} of this model is not known here`);
    return { kind: model.kind, value, from: `${model.from}, by the model's name` };
  };
  const either = <Value>(a: Fact<Value>, b: Fact<Value>): Fact<Value> => (a.kind === "unknown" ? b : a);
  return {
    model,
    known,
    attention: either(
      byName(known?.attention, "attention"),
      saidOf(said, said?.attention, "attention is not stated"),
    ),
    modalities: either(
      byName(known?.modalities, "modalities"),
      saidOf(said, said?.modalities, "modalities are not stated"),
    ),
    context: either(byName(known?.context, "context"), saidOf(said, said?.context, "context is not stated")),
    engineVersion: preferSeen(
      server?.version === undefined ? unknown("no server was asked") : seen(server.version, "/version"),
      statedVersion(said),
    ),
    image: imageOf(said),
    platform: preferSeen(seenPlatform(server), saidOf(said, said?.platform, "state it with --platform")),
    gpus: saidOf(said, said?.gpus, "the number of GPUs is not stated"),
    arg: (flag) => preferSeen(seenArg(flag, server), statedArg(flag, said)),
    env: (name) => statedEnv(name, said),
    hostSetting: (name) => hostSetting(name, { said, seenHost }),
  };
}

function saidOf<Value>(
  said: StatedDeployment | undefined,
  value: Value | undefined,
  why: string,
): Fact<Value> {
  return said === undefined || value === undefined ? unknown(why) : stated(value, said.from);
}

function statedVersion(said: StatedDeployment | undefined): Fact<string> {
  const tagged = imageEngineVersion(said?.image ?? "");
  if (said?.engineVersion === undefined && said !== undefined && tagged !== undefined)
    return stated(tagged, `${said.from}, the image's tag`);
  return saidOf(said, said?.engineVersion, "state it with --engine-version");
}

function seenModel(server: SeenServer | undefined): Fact<string> {
  const [first] = server?.models ?? [];
  return first === undefined ? unknown("no server told its model") : seen(first.id, "/v1/models");
}

/** A server may give its model another name; the root is what it loaded. */
function knownRoot(server: SeenServer | undefined): KnownModel | undefined {
  const root = server?.models[0]?.root;
  return root === undefined ? undefined : knownModel(root);
}

function seenPlatform(server: SeenServer | undefined): Fact<Platform> {
  const version = server?.version ?? "";
  if (/\+.*rocm/i.test(version)) return seen("rocm", "/version");
  if (/\+.*cu\d/i.test(version)) return seen("cuda", "/version");
  return unknown("the server does not tell");
}

/** A command line without a container has no image, and is not known to be none. */
function imageOf(said: StatedDeployment | undefined): Fact<string | null> {
  return saidOf(said, said?.image, "no container image is stated");
}

function seenArg(flag: string, server: SeenServer | undefined): Fact<ArgValue | null> {
  if (server === undefined) return unknown("no server was asked");
  if (flag === "--max-model-len") {
    const length = server.models[0]?.maxModelLen;
    return length === undefined ? unknown("/v1/models does not tell") : seen(String(length), "/v1/models");
  }
  const label = CACHE_LABELS[flag];
  if (label === undefined) return unknown("no endpoint of the server tells");
  const value = server.cacheConfig?.[label];
  if (value === undefined) return unknown(`cache_config_info in /metrics does not tell ${label}`);
  return seen(value === "None" ? null : value, "/metrics, cache_config_info");
}

function statedArg(flag: string, said: StatedDeployment | undefined): Fact<ArgValue | null> {
  const value = said?.args.get(flag);
  if (said === undefined || (value === undefined && !said.isWhole))
    return unknown("no endpoint of the server tells, and no command line is stated");
  if (value === undefined && said.args.has("--config"))
    return unknown("it may stand in the file of --config, which is not read");
  return stated(value ?? null, said.from);
}

function statedEnv(name: string, said: StatedDeployment | undefined): Fact<string | null> {
  if (said === undefined)
    return unknown("no server tells its environment: state it with --env or --deployment");
  const value = said.env.get(name);
  if (value !== undefined) return stated(value, said.from);
  if (!said.isWhole) return unknown("it is not stated: --env, or a whole command line after --");
  if (said.passedOn.includes(name)) return unknown("its value is taken from a shell");
  if (said.hasEnvFile) return unknown("it may stand in the environment file, which is not read");
  return stated(null, said.from);
}

function hostSetting(
  name: string,
  {
    said,
    seenHost,
  }: {
    readonly said?: StatedDeployment | undefined;
    readonly seenHost?: ReadonlyMap<string, string> | undefined;
  },
): Fact<string> {
  const read = seenHost?.get(name);
  if (read !== undefined) return seen(read, "this host, which has the GPUs");
  const value = said?.host.get(name);
  return value === undefined || said === undefined
    ? unknown("run doctor on the server's host, or state it")
    : stated(value, said.from);
}
