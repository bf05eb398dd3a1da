import type { Socket } from "node:net";
import {
  assert,
  type Calibration,
  type Clock,
  createWorkload,
  NO_CALIBRATION,
  type RequestEnd,
  type TestPlan,
  workloadMembers,
} from "@tokenstorm/core";
import { ImageBytes } from "../load/image-bytes.js";
import { requestBody } from "../load/request-body.js";
import { attemptRequest } from "./attempt.js";
import { calibrate } from "./calibrate.js";
import type { Wiring } from "./channel.js";
import { createReader } from "./create-reader.js";
import { apiPath, createEndpoints } from "./endpoint.js";
import { findModel } from "./find-model.js";
import { describeFailure, serverVersion } from "./preflight.js";
import { hidingKey, requestHeaders, resolveApiKey, withoutKey } from "./request-headers.js";

export interface ProbeOptions {
  /** Its target, workload and timeouts are used, of the target the first URL. */
  readonly plan: TestPlan;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Pick<Clock, "nowUs" | "at">;
  /** Makes the prompt one that no cache knows. */
  readonly salt: string;
}

/** One request as it went. Times are us since it was begun; null where it did not come so far. */
export interface ProbeResult {
  readonly url: string;
  /** Address that was connected to. */
  readonly address: string | null;
  readonly api: TestPlan["target"]["api"];
  readonly model: string;
  readonly serverVersion: string | null;
  readonly requestId: string;
  readonly asked: { readonly promptTokens: number | null; readonly outputTokens: number };
  readonly timelineUs: {
    readonly connected: number | null;
    readonly sent: number | null;
    readonly headers: number | null;
    readonly firstEvent: number | null;
    readonly firstToken: number | null;
    readonly lastToken: number | null;
    readonly end: number;
  };
  readonly outcome: RequestEnd["outcome"];
  /** What went wrong, in words; null for a good answer. */
  readonly problem: string | null;
  readonly status: number | null;
  readonly contentType: string;
  readonly finishReason: string | null;
  readonly events: number;
  readonly tokens: number;
  readonly tokenSource: RequestEnd["tokenSource"];
  readonly usage: RequestEnd["usage"];
  readonly calibration: Calibration;
  /** Beginning of what was generated. */
  readonly text: string;
}

/**
 * Sends one request of the plan's workload and tells all about it, for `tokenstorm probe`. A failed request is a
 * result; throws LoadError, as preflight does, only where it could not be put together.
 */
export async function probeTarget(options: ProbeOptions): Promise<ProbeResult> {
  const { plan, env, clock, salt } = options;
  const key = resolveApiKey(plan.target, env);
  const [endpoint] = createEndpoints(plan.target);
  assert(endpoint !== undefined, "a plan without URLs");
  const sockets = new Set<Socket>();
  const reader = createReader({ plan }, clock);
  const wiring: Wiring = { clock, reader, sockets, timeouts: plan.timeouts };
  const line = { wiring, endpoint, headers: requestHeaders(plan.target, key, "application/json") };
  const model = await hidingKey(key, () => findModel([line], { model: plan.target.model, key }));
  const version = await serverVersion(line);
  const calibration =
    plan.target.api === "openai-chat"
      ? await calibrate({ line, model, chatTokens: async () => null })
      : NO_CALIBRATION;
  const requestKey = { kind: "closed", stage: 0, user: 0, j: 0 } as const;
  const spec = createWorkload(plan, { salt, calibration }).requestFor(requestKey);
  const workloads = workloadMembers(plan).map(({ workload }) => workload);
  const images = new ImageBytes({ seed: plan.seed, workloads });
  const request = {
    key: requestKey,
    id: `ts-probe-${salt}`,
    url: 0,
    body: requestBody({
      plan,
      model,
      spec,
      images: spec.images.map((image) => images.urlOf(image)),
      salt,
    }),
    exactOutputTokens: spec.ignoreEos ? spec.outputTokens : null,
  };
  const attempt = await attemptRequest(
    { wiring, endpoint, path: apiPath(endpoint, plan.target.api), headers: requestHeaders(plan.target, key) },
    request,
  );
  const { end, answer, startUs } = attempt;
  const since = (us: number | null): number | null => (us === null ? null : us - startUs);
  return {
    url: endpoint.url,
    address: attempt.connectedUs === null ? null : (endpoint.addresses[0] ?? null),
    api: plan.target.api,
    model,
    serverVersion: version,
    requestId: request.id,
    asked: { promptTokens: spec.promptTokens, outputTokens: spec.outputTokens },
    timelineUs: {
      connected: since(attempt.connectedUs),
      sent: since(attempt.sentUs),
      headers: since(attempt.headersUs),
      firstEvent: since(attempt.firstEventUs),
      firstToken: since(attempt.firstTokenUs),
      lastToken: since(attempt.lastTokenUs),
      end: attempt.endUs - startUs,
    },
    outcome: end.outcome,
    problem: end.outcome.kind === "completed" ? null : withoutKey(describeFailure(attempt), key),
    status: answer.status,
    contentType: answer.contentType,
    finishReason: answer.finishReason,
    events: attempt.events,
    tokens: attempt.tokens,
    tokenSource: end.tokenSource,
    usage: end.usage,
    calibration,
    text: attempt.text,
  };
}
