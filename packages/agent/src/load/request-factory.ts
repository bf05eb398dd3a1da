import {
  type Calibration,
  createWorkload,
  type DataSets,
  type RequestKey,
  requestId,
  type TestPlan,
  workloadMembers,
} from "@tokenstorm/core";
import type { PreparedRequest } from "../target/target.js";
import { ImageBytes } from "./image-bytes.js";
import { requestBody } from "./request-body.js";

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
}

/** Builds the requests of one run. Pure; takes some 40 us for a thousand prompt tokens, so it is called ahead of time. */
export interface RequestFactory {
  /** `dueUs`: since the load's first stage; part of the id of an arrival, unused for users. */
  build(key: RequestKey, dueUs: number): BuiltRequest;
}

export function createRequestFactory(options: {
  readonly plan: TestPlan;
  readonly run: string;
  readonly salt: string;
  readonly model: string;
  readonly calibration: Calibration;
  readonly dataSets?: DataSets;
}): RequestFactory {
  const { plan, run, salt, model } = options;
  const workload = createWorkload(plan, options);
  const images = new ImageBytes({
    seed: plan.seed,
    workloads: workloadMembers(plan).map((member) => member.workload),
  });
  const urls = plan.target.urls.length;
  return {
    build: (key, dueUs) => {
      const spec = workload.requestFor(key);
      const { promptTokens, outputTokens, member, ignoreEos } = spec;
      return {
        request: {
          key,
          id: requestId(run, key, dueUs),
          url: (key.kind === "open" ? key.k : key.user) % urls,
          body: requestBody({
            plan,
            model,
            spec,
            images: spec.images.map((image) => images.urlOf(image)),
            salt,
          }),
          exactOutputTokens: ignoreEos ? outputTokens : null,
        },
        asked: { promptTokens, outputTokens, member, images: spec.images.length },
      };
    },
  };
}
