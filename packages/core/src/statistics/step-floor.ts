import { type Unknown, unknown } from "./outcome.js";

/** What of a model one decode step must read, facts of the deployment. */
export interface StepWeights {
  /** Bytes that every step reads, whatever is in it: attention, embeddings, shared experts; all of a dense model. */
  readonly alwaysBytes: number;
  /** Left out for a dense model. */
  readonly experts?: {
    /** Bytes of one expert, over all layers. */
    readonly bytes: number;
    readonly count: number;
    readonly perToken: number;
  };
  /** Of all GPUs that hold the model together, peak. */
  readonly bandwidthBytesPerS: number;
}

export type StepFloor = { readonly kind: "floor"; readonly us: number; readonly bytes: number } | Unknown;

/**
 * Least time of a decode step: the weights it touches must come out of memory once. Of E experts, a batch of B tokens that choose k each,
 * evenly and independently, touches E (1 - (1 - k/E)^B) on average. What a step reads beside weights (KV) is not in it.
 */
export function weightReadFloor(weights: StepWeights, batch: number): StepFloor {
  const { alwaysBytes, experts, bandwidthBytesPerS } = weights;
  const numbers = [
    alwaysBytes,
    bandwidthBytesPerS,
    batch,
    ...(experts === undefined ? [] : [experts.bytes, experts.count, experts.perToken]),
  ];
  if (!numbers.every((value) => Number.isFinite(value) && value >= 0))
    return unknown("a fact of the model is no size");
  if (!(bandwidthBytesPerS > 0)) return unknown("the memory bandwidth is not known");
  if (!(batch > 0)) return unknown("nothing was in flight, so no step was taken");
  if (experts !== undefined && !(experts.perToken > 0 && experts.perToken <= experts.count)) {
    return unknown(`${experts.perToken} experts a token of ${experts.count} cannot be`);
  }
  const touched =
    experts === undefined ? 0 : experts.count * (1 - (1 - experts.perToken / experts.count) ** batch);
  const bytes = alwaysBytes + touched * (experts?.bytes ?? 0);
  if (!(bytes > 0)) return unknown("the model's weights are not known");
  const us = (bytes / bandwidthBytesPerS) * 1e6;
  return Number.isFinite(us)
    ? { kind: "floor", us, bytes }
    : unknown("the model's weights are too large to be reckoned with");
}

export type StepAgainstFloor =
  | {
      readonly kind: "ratio";
      readonly stepUs: number;
      readonly floorUs: number;
      /** Measured over floor. */
      readonly times: number;
      readonly sentence: string;
    }
  | Unknown;

/** Beyond so many times the floor, reading weights does not explain a step. */
const EXPLAINED = 1.5;

/** A level's measured step time, the median inter-token latency, beside the floor: is reading weights what it is made of? */
export function stepAgainstFloor(stepUs: number | null, floor: StepFloor): StepAgainstFloor {
  if (stepUs === null || !(Number.isFinite(stepUs) && stepUs > 0))
    return unknown("no inter-token latency was measured");
  if (floor.kind === "unknown") return floor;
  const times = stepUs / floor.us;
  if (!Number.isFinite(times)) return unknown("the floor is too small to be compared with");
  const [step, least] = [ms(stepUs), ms(floor.us)];
  const sentence =
    times < 1
      ? `A step of ${step} is shorter than the ${least} that reading its weights takes: a fact of the model, or the count of tokens, is wrong.`
      : times <= EXPLAINED
        ? `A step of ${step} is ${times.toFixed(1)} x the ${least} that reading its weights takes: memory bandwidth explains most of it.`
        : `A step of ${step} is ${times.toFixed(1)} x the ${least} that reading its weights takes: that it is bound by memory bandwidth is not shown.`;
  return { kind: "ratio", stepUs, floorUs: floor.us, times, sentence };
}

const ms = (us: number): string => `${Number((us / 1000).toPrecision(3))} ms`;
