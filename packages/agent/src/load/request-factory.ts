import {
  type Calibration,
  createWorkload,
  type DataSets,
  type ImageSpec,
  type RequestKey,
  requestId,
  type TestPlan,
  type TraceEntry,
  workloadMembers,
} from "@tokenstorm/core";
import type { PreparedRequest } from "../target/target.js";
import type { BuiltTurn } from "./conversations.js";
import { ImageBytes } from "./image-bytes.js";
import { bodyInSteps, turnInSteps } from "./request-body.js";

/** What a request asked for; stands beside what was measured. */
export interface AskedOf {
  /** Null where nobody says: a file's own text. */
  readonly promptTokens: number | null;
  readonly outputTokens: number;
  /** Which of the plan's `workloadMembers`. */
  readonly member: number;
  readonly images: number;
}

/** A request whose body is built, and what it asks for. */
export interface BuiltRequest {
  readonly request: PreparedRequest;
  readonly asked: AskedOf;
  /** Of a conversation, whose body is not whole before what was said so far is known: see `Conversations`. */
  readonly turn?: BuiltTurn;
}

/**
 * Builds the requests of one run. Pure. A thousand prompt tokens take some 100 us and an image about as long, so it is
 * called ahead of time, and a step at a time.
 */
export interface RequestFactory {
  /** In short steps. `dueUs`: since the load's first stage; part of the id of an arrival, unused for users. */
  build(key: RequestKey, dueUs: number): Generator<undefined, BuiltRequest>;
}

/** All steps at once. */
export function builtNow(steps: Generator<undefined, BuiltRequest>): BuiltRequest {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

export function createRequestFactory(options: {
  readonly plan: TestPlan;
  readonly run: string;
  readonly salt: string;
  readonly model: string;
  readonly calibration: Calibration;
  readonly dataSets?: DataSets;
  readonly trace?: readonly TraceEntry[] | undefined;
}): RequestFactory {
  const { plan, run, salt, model } = options;
  const workload = createWorkload(plan, options);
  const images = new ImageBytes({
    seed: plan.seed,
    workloads: workloadMembers(plan).map((member) => member.workload),
  });
  const urls = plan.target.urls.length;
  return {
    *build(key, dueUs) {
      const spec = workload.draftFor(key);
      const { promptTokens, outputTokens, member, ignoreEos } = spec;
      const options = { plan, model, spec, images: urlsOf(images, spec.images), salt };
      const turn = spec.turn === undefined ? undefined : yield* turnInSteps(options, spec.turn);
      return {
        request: {
          key,
          id: requestId(run, key, dueUs),
          url: (key.kind === "open" ? key.k : key.user) % urls,
          body: turn === undefined ? yield* bodyInSteps(options) : turn.message,
          exactOutputTokens: ignoreEos ? outputTokens : null,
          keepsText: turn !== undefined,
        },
        asked: { promptTokens, outputTokens, member, images: spec.images.length },
        ...(turn === undefined ? {} : { turn }),
      };
    },
  };
}

/** One at a time: each is made when it is its turn. */
function* urlsOf(images: ImageBytes, specs: readonly ImageSpec[]): Generator<readonly Uint8Array[]> {
  for (const spec of specs) yield images.urlOf(spec);
}
