import {
  assert,
  isSalted,
  LoadError,
  NO_CALIBRATION,
  type Prompt,
  type TestPlan,
  workloadMembers,
} from "@tokenstorm/core";
import { type BodyOptions, requestBody } from "../load/request-body.js";
import { type Attempt, attemptRequest } from "./attempt.js";
import { calibrate } from "./calibrate.js";
import { call, type Line } from "./call.js";
import type { Wiring } from "./channel.js";
import { apiPath, type Endpoint } from "./endpoint.js";
import { findModel, inTurn, keyRefused } from "./find-model.js";
import { quoted } from "./quoted.js";
import { type ApiKey, requestHeaders } from "./request-headers.js";
import type { Preflight } from "./target.js";

/** Limits of a test request, ms; the plan's own hold where they are shorter. */
const FIRST_TOKEN_MS = 60_000;
const TOTAL_MS = 90_000;
const TEST_TOKENS = 2;
/** Far from any prompt of a run, and too short to fill a block of a prefix cache. */
const TEST_TEXT = "ping";
const TEST_IDS = [100, 200, 300, 400];
const VERSION_CHARACTERS = 100;

export interface PreflightOptions {
  readonly plan: TestPlan;
  readonly key: ApiKey | null;
  readonly endpoints: readonly Endpoint[];
  readonly wiring: Wiring;
}

/** See `Target.preflight`. Every URL is checked; what is calibrated is asked of the first. */
export async function runPreflight(options: PreflightOptions): Promise<Preflight> {
  const { plan, key, endpoints } = options;
  const headers = requestHeaders(plan.target, key, "application/json");
  const lines = endpoints.map((endpoint) => ({ wiring: options.wiring, endpoint, headers }));
  const model = await findModel(lines, { model: plan.target.model, key });
  const isChat = plan.target.api === "openai-chat";
  const prompt: Prompt = isChat ? { kind: "text", text: TEST_TEXT } : { kind: "token-ids", ids: TEST_IDS };
  await inTurn(endpoints.map((endpoint) => testStream(options, { endpoint, model, prompt })));
  const [line] = lines;
  assert(line !== undefined, "a plan without URLs");
  const chatTokens = async (text: string): Promise<number | null> => {
    const attempt = await testStream(options, {
      endpoint: line.endpoint,
      model,
      prompt: { kind: "text", text },
    });
    return attempt.end.usage?.prompt ?? null;
  };
  const calibration = isChat ? await calibrate({ line, model, chatTokens }) : NO_CALIBRATION;
  return {
    model,
    ...calibration,
    serverVersion: await serverVersion(line),
    reader: options.wiring.reader.name,
  };
}

/** What the server says at /version; null where it has none. */
export async function serverVersion(line: Line): Promise<string | null> {
  const { status, text } = await call(line, "/version");
  if (status !== 200) return null;
  try {
    const parsed: { readonly version?: unknown } | null = JSON.parse(text);
    const version = parsed?.version;
    return typeof version === "string" ? version.slice(0, VERSION_CHARACTERS) : null;
  } catch {
    return null;
  }
}

/** One tiny streamed request. Throws LoadError when its answer is not a good event stream. */
async function testStream(
  options: PreflightOptions,
  test: { readonly endpoint: Endpoint; readonly model: string; readonly prompt: Prompt },
): Promise<Attempt> {
  const { plan, key, endpoints, wiring } = options;
  const { endpoint, model, prompt } = test;
  const timeouts = {
    connectMs: wiring.timeouts.connectMs,
    ttftMs: Math.min(wiring.timeouts.ttftMs, FIRST_TOKEN_MS),
    stallMs: Math.min(wiring.timeouts.stallMs, FIRST_TOKEN_MS),
    totalMs: Math.min(wiring.timeouts.totalMs, TOTAL_MS),
  };
  const url = endpoints.indexOf(endpoint);
  const attempt = await attemptRequest(
    {
      wiring: { ...wiring, timeouts },
      endpoint,
      path: apiPath(endpoint, plan.target.api),
      headers: requestHeaders(plan.target, key),
    },
    {
      key: { kind: "closed", stage: 0, user: 0, j: 0 },
      id: `ts-preflight-${url}`,
      url,
      body: requestBody({ plan, model, spec: testSpec(plan, prompt), salt: "preflight" }),
      exactOutputTokens: null,
    },
  );
  if (attempt.end.outcome.kind !== "completed") throw testFailed(endpoint.url, attempt, key);
  return attempt;
}

/** Asked for as the plan's own requests are, so that a server that refuses one of its fields is found out. */
function testSpec(plan: TestPlan, prompt: Prompt): BodyOptions["spec"] {
  const members = workloadMembers(plan).map(({ workload }) => workload);
  return {
    prompt,
    outputTokens: TEST_TOKENS,
    ignoreEos: members.some(({ ignoreEos }) => ignoreEos),
    temperature: members.find(({ temperature }) => temperature !== undefined)?.temperature,
    isSalted: members.some(isSalted),
  };
}

function testFailed(url: string, attempt: Attempt, key: ApiKey | null): LoadError {
  const { status } = attempt.answer;
  if (status === 401 || status === 403) return keyRefused(url, status, key);
  return new LoadError("TARGET_UNREACHABLE", `${url} ${describeFailure(attempt)}`, {
    hint: "tokenstorm probe shows one request in full",
  });
}

/** What went wrong with a request that was to be a good stream, as the rest of a sentence about its URL. */
export function describeFailure({ end, answer, tokens }: Attempt): string {
  if (end.outcome.kind !== "failed") return "was left before its answer ended";
  const { status, contentType, excerpt, errorText, cause, finishReason } = answer;
  const { reason } = end.outcome;
  switch (reason) {
    case "dns":
    case "connect-refused":
    case "connect-timeout":
    case "tls":
      return `cannot be reached: ${cause}`;
    case "http-4xx":
    case "http-5xx":
    case "rate-limited":
      return `answered a test request with status ${status}: ${quoted(excerpt)}`;
    case "not-a-stream":
      if (status === null) return `did not answer in HTTP: ${cause}`;
      return `answered with ${contentType || "no content type"} (status ${status}), not with an event stream: ${quoted(excerpt)}`;
    case "ttft-timeout":
    case "stall-timeout":
    case "total-timeout":
      return `gave ${tokens === 0 ? "no token" : `only ${tokens} tokens`} of a test request in time (${reason})`;
    case "stream-broken":
      return `broke its answer off: ${cause}`;
    case "bad-frame":
      return `sent an event that is no JSON chunk: ${quoted(excerpt)}`;
    case "error-event":
      return `answered with an error event: ${errorText}`;
    case "empty":
      return "sent an event stream without output";
    case "no-finish":
      return `ended its answer with ${finishReason === null ? "no finish_reason" : `finish_reason ${quoted(finishReason)}`}`;
    case "wrong-length":
      return `generated ${end.usage?.output ?? tokens} tokens, which is not what was asked for`;
  }
}
