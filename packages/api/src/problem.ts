import { LoadError, type LoadErrorCode, type PlanProblem } from "@tokenstorm/core";
import { BODY_LIMIT } from "./limits.js";
import type { Problem } from "./schemas.js";

/** What can go wrong with a request that is no fault of a plan, a run or the cluster. */
export const HTTP_CODES = {
  BAD_REQUEST: 400,
  TOKEN_WRONG: 401,
  CROSS_SITE: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  TOO_SLOW: 408,
  BODY_TOO_LARGE: 413,
  NOT_JSON: 415,
  HOST_UNKNOWN: 421,
  HEADERS_TOO_LARGE: 431,
  BUG: 500,
  TOO_MANY_STREAMS: 503,
  NOT_LEADING: 503,
} as const;
export type HttpCode = keyof typeof HTTP_CODES;

/** The status of each operational error. */
export const STATUS_OF: Readonly<Record<LoadErrorCode, number>> = {
  PLAN_INVALID: 422,
  PLAN_UNSUPPORTED_VERSION: 422,
  DATASET_INVALID: 422,
  BUS_UNAVAILABLE: 503,
  BUS_DENIED: 503,
  PROTOCOL_MALFORMED: 502,
  PROTOCOL_UNSUPPORTED_VERSION: 502,
  AGENTS_INSUFFICIENT: 409,
  AGENT_NOT_READY: 409,
  AGENT_LOST: 409,
  TARGET_UNREACHABLE: 502,
  SECRET_MISSING: 500,
  RUN_ABORTED: 409,
  RUN_UNKNOWN: 404,
  RESULTS_UNREADABLE: 404,
};

/** A refusal of the API itself. */
export class HttpProblem extends Error {
  readonly code: HttpCode;
  readonly hint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: HttpCode,
    message: string,
    more: { readonly hint?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.code = code;
    this.hint = more.hint;
    this.headers = more.headers ?? {};
  }
}

/** A plan with each of its problems, so that a program can show them where they are. */
export class PlanRefusal extends LoadError {
  readonly problems: readonly PlanProblem[];

  constructor(error: LoadError, problems: readonly PlanProblem[]) {
    super(error.code, error.message, { hint: error.hint, cause: error });
    this.problems = problems;
  }
}

export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Problem;
}

/** What an error is to whoever asked. Whatever has no name of its own is a bug, and says nothing of the inside. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof LoadError) {
    const problems = error instanceof PlanRefusal ? { problems: [...error.problems] } : {};
    return refusal(STATUS_OF[error.code], error, problems);
  }
  const problem = error instanceof HttpProblem ? error : problemOfFramework(error);
  return refusal(HTTP_CODES[problem.code], problem, {}, problem.headers);
}

function refusal(
  status: number,
  error: { readonly code: string; readonly message: string; readonly hint?: string | undefined },
  more: Pick<Problem["error"], "problems">,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return { status, headers, body: { error: { code: error.code, message: error.message, ...hint, ...more } } };
}

/** Fastify's own refusals, by its codes. */
function problemOfFramework(error: unknown): HttpProblem {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new HttpProblem("BODY_TOO_LARGE", `the body is larger than ${BODY_LIMIT}`, {
        hint: "a plan is handed over as one message: shorten its lists, such as URLs or stages",
      });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new HttpProblem("NOT_JSON", "the body must be JSON", {
        hint: "send it with the header Content-Type: application/json",
      });
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new HttpProblem("BAD_REQUEST", "the body is empty; it must be JSON");
  }
  if (error instanceof Error && status >= 400 && status < 500) {
    return new HttpProblem("BAD_REQUEST", `the request is not understood: ${error.message.slice(0, 200)}`);
  }
  return new HttpProblem("BUG", "this is a bug in tokenstorm; the coordinator's log says more");
}
