import { MOST_LISTED_RUNS } from "@tokenstorm/protocol";
import type { HttpCode } from "./problem.js";
import { type JsonSchema, type SchemaName, schemaRef } from "./schemas.js";

/** One way to ask: what the server registers, and what the description says. */
export interface Route {
  readonly method: "GET" | "POST";
  /** With parameters as {name}. */
  readonly path: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, { readonly description: string; readonly schema: JsonSchema }>>;
  /** Schema of the JSON body that it takes. */
  readonly body?: SchemaName;
  /** By status: the body for each content type. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Statuses of problems that this route may answer with, beside those of every route. */
  readonly problems: readonly number[];
  /** Needs no token. */
  readonly isOpen?: true;
}

export interface Answer {
  readonly description: string;
  readonly content: Readonly<Record<string, JsonSchema>>;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = "application/json";
const PREFIX = "/api/v1";

const json = (description: string, name: SchemaName): Answer => ({
  description,
  content: { [JSON_TYPE]: schemaRef(name) },
});
const TEXT: JsonSchema = { type: "string" };
/** Not one document of JSON: its lines or events are described in words. */
const ANY: JsonSchema = {};

export type RouteName =
  | "listRuns"
  | "submitRun"
  | "getRun"
  | "stopRun"
  | "watchRun"
  | "getReport"
  | "listFiles"
  | "getFile"
  | "listAgents"
  | "health"
  | "metrics"
  | "describe";

export const ROUTES: Readonly<Record<RouteName, Route>> = {
  listRuns: {
    method: "GET",
    path: `${PREFIX}/runs`,
    summary: `The newest runs with their verdicts, newest first: ${MOST_LISTED_RUNS} at most.`,
    answers: { 200: json("Runs", "Runs") },
    problems: [],
  },
  submitRun: {
    method: "POST",
    path: `${PREFIX}/runs`,
    summary:
      "Submits a plan (docs/plan.md). The answer has the run's id; every problem of a plan is named at once.",
    body: "Plan",
    answers: {
      201: { ...json("The run is in the queue", "Submitted"), headers: { Location: "Where the run is." } },
    },
    problems: [403, 413, 415, 422],
  },
  getRun: {
    method: "GET",
    path: `${PREFIX}/runs/{run}`,
    summary: "A run's whole record: plan, state, agents, start, what ended it.",
    answers: { 200: json("The record", "Run") },
    problems: [404],
  },
  stopRun: {
    method: "POST",
    path: `${PREFIX}/runs/{run}/stop`,
    summary: "Asks a run to end. It is no error to stop one that is over.",
    body: "Stop",
    answers: { 200: json("What was asked for, and the state it found", "Stopped") },
    problems: [403, 404, 413, 415],
  },
  watchRun: {
    method: "GET",
    path: `${PREFIX}/runs/{run}/live`,
    summary:
      "Server-sent events: `live` once a second with the merged update (schema Live), then one `end` (schema End), after which the server closes.",
    answers: { 200: { description: "The stream", content: { "text/event-stream": ANY } } },
    problems: [404],
  },
  getReport: {
    method: "GET",
    path: `${PREFIX}/runs/{run}/report`,
    summary: "The report of a run that has ended.",
    query: {
      format: {
        description: "json by default; text also by the header Accept: text/plain.",
        schema: { type: "string", enum: ["json", "text"] },
      },
    },
    answers: {
      200: {
        description: "The report",
        content: { [JSON_TYPE]: schemaRef("Report"), "text/plain": TEXT },
      },
    },
    problems: [404],
  },
  listFiles: {
    method: "GET",
    path: `${PREFIX}/runs/{run}/files`,
    summary: "The files of a run's directory, where this coordinator led it.",
    answers: { 200: json("Files", "Files") },
    problems: [404],
  },
  getFile: {
    method: "GET",
    path: `${PREFIX}/runs/{run}/files/{file}`,
    summary: "One file: plan.yaml, run.json, snapshots.ndjson, events.ndjson or report.json.",
    answers: {
      200: {
        description: "The file as it stands",
        content: { "application/yaml": ANY, [JSON_TYPE]: ANY, "application/x-ndjson": ANY },
      },
    },
    problems: [404],
  },
  listAgents: {
    method: "GET",
    path: `${PREFIX}/agents`,
    summary: "Agents that are heard now: each one's last heartbeat, and how well its clock is known.",
    answers: { 200: json("Agents", "Agents") },
    problems: [],
  },
  health: {
    method: "GET",
    path: "/healthz",
    summary:
      "200 while this coordinator leads and its own beacon comes back over NATS, else 503 with the reason.",
    answers: { 200: json("It leads", "Health") },
    problems: [],
    isOpen: true,
  },
  metrics: {
    method: "GET",
    path: "/metrics",
    summary: "For Prometheus: text format 0.0.4.",
    answers: { 200: { description: "Metrics", content: { "text/plain": TEXT } } },
    problems: [],
  },
  describe: {
    method: "GET",
    path: "/openapi.json",
    summary: "This description.",
    answers: { 200: json("OpenAPI 3.1", "Description") },
    problems: [],
  },
};

export function routeNames(): RouteName[] {
  const isName = (name: string): name is RouteName => Object.hasOwn(ROUTES, name);
  return Object.keys(ROUTES).filter(isName);
}

/** Statuses that any request may be answered with. */
export const COMMON_PROBLEMS: readonly { readonly status: number; readonly code: HttpCode }[] = [
  { status: 400, code: "BAD_REQUEST" },
  { status: 401, code: "TOKEN_WRONG" },
  { status: 421, code: "HOST_UNKNOWN" },
  { status: 500, code: "BUG" },
  { status: 503, code: "NOT_LEADING" },
];

/** Methods that a path knows, by whether it fits: for 405 and its Allow header. */
export function methodsAt(path: string): string[] {
  const methods = new Set<string>();
  for (const name of routeNames()) {
    const route = ROUTES[name];
    const pattern = route.path.replaceAll(/\{\w+\}/g, "[^/]+").replaceAll(".", "\\.");
    if (!new RegExp(`^${pattern}$`).test(path)) continue;
    methods.add(route.method);
    // A stream has no end to ask the head of.
    if (route.method === "GET" && name !== "watchRun") methods.add("HEAD");
  }
  return [...methods].sort();
}
