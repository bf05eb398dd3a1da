import {
  type Calibration,
  createWorkload,
  type RequestKey,
  requestId,
  type TestPlan,
} from "@tokenstorm/core";
import type { PreparedRequest } from "../target/target.js";
import { requestBody } from "./request-body.js";

/** A request whose body is built, and the lengths that were asked for. */
export interface BuiltRequest {
  readonly request: PreparedRequest;
  readonly promptTokens: number;
  readonly outputTokens: number;
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
}): RequestFactory {
  const { plan, run, salt, model, calibration } = options;
  const workload = createWorkload(plan, { salt, calibration });
  const urls = plan.target.urls.length;
  return {
    build: (key, dueUs) => {
      const { prompt, promptTokens, outputTokens } = workload.requestFor(key);
      return {
        request: {
          key,
          id: requestId(run, key, dueUs),
          url: (key.kind === "open" ? key.k : key.user) % urls,
          body: requestBody({ plan, model, prompt, outputTokens, salt }),
          exactOutputTokens: plan.workload.ignoreEos ? outputTokens : null,
        },
        promptTokens,
        outputTokens,
      };
    },
  };
}
