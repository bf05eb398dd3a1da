import { Hash128 } from "../random/hash.js";
import { Random, type RandomState, randomState, type Stream } from "../random/random.js";
import type { Coordinates } from "./request-spec.js";

/**
 * The random choices of one member of a workload. `seeded` ones are the same in every run of the plan, `salted` ones
 * change with the run. What all requests have in common is drawn apart for each member, so that two members do not begin alike.
 */
export class Draws {
  readonly #seed: number;
  readonly #salt: string;
  /** Empty for the only member: its requests are those of a plan without a mixture. */
  readonly #member: Coordinates;

  constructor(options: { readonly seed: number; readonly salt: string; readonly member: Coordinates }) {
    this.#seed = options.seed;
    this.#salt = options.salt;
    this.#member = options.member;
  }

  seeded(stream: Stream, at: Coordinates): Random {
    return new Random(randomState(this.#seed, stream, at));
  }

  salted(stream: Stream, at: Coordinates): Random {
    return new Random(this.saltedState(stream, at));
  }

  saltedState(stream: Stream, at: Coordinates): RandomState {
    const hash = new Hash128().addInt(stream).addText(this.#salt);
    for (const part of at) hash.addSafeInt(part);
    return hash.words();
  }

  common(stream: Stream): Random {
    return new Random(this.commonState(stream, []));
  }

  commonState(stream: Stream, at: Coordinates): RandomState {
    return randomState(this.#seed, stream, [...this.#member, ...at]);
  }

  commonSalted(stream: Stream): Random {
    return this.salted(stream, this.#member);
  }
}
