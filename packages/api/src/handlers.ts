import type { ServerResponse } from "node:http";
import { LoadError, parsePlan, type RunRecord, requirePlan, type TestPlan } from "@tokenstorm/core";
import { isId, type Operations } from "@tokenstorm/protocol";
import { renderText } from "@tokenstorm/report";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { ClusterWatch } from "./cluster-watch.js";
import type { ApiDeps } from "./deps.js";
import { requireLeading } from "./health.js";
import type { ApiLimits } from "./limits.js";
import type { LiveFeed } from "./live-feed.js";
import { renderMetrics } from "./metrics/render.js";
import { HttpProblem, PlanRefusal } from "./problem.js";
import type { RouteName } from "./routes.js";
import { isRunFileName, listRunFiles, measureRunFile, openRunFile, RUN_FILE_TYPES } from "./run-files.js";
import {
  type AgentsSchema,
  type FilesSchema,
  type HealthSchema,
  type RunsSchema,
  type StoppedSchema,
  StopSchema,
  type SubmittedSchema,
} from "./schemas.js";

export interface HandlerWorld {
  readonly deps: ApiDeps;
  readonly limits: ApiLimits;
  readonly operations: Operations;
  readonly watch: ClusterWatch;
  readonly feed: LiveFeed;
  /** The description, as it is sent. */
  readonly description: string;
  /** Headers of every answer, for the one that is written past the framework. */
  readonly headers: Readonly<Record<string, string>>;
}

export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

const JSON_TYPE = "application/json; charset=utf-8";
const REPORT_WIDTH = 120;

/** What answers each route. Bodies are what the schemas say; a test reads every one. */
export function createHandlers(world: HandlerWorld): Readonly<Record<RouteName, Handler>> {
  const { deps, operations, watch, feed } = world;
  return {
    listRuns: async () => ({ runs: await operations.runs() }) satisfies z.input<typeof RunsSchema>,
    submitRun: async (request, reply) => {
      const { id, name, state } = await operations.submit(planIn(request, world.limits));
      deps.logger.info(`run ${id} was submitted over HTTP`, { run: id });
      reply.code(201).header("location", `/api/v1/runs/${id}`);
      return { id, name, state } satisfies z.input<typeof SubmittedSchema>;
    },
    getRun: async (request) => namedRun(request, operations),
    stopRun: async (request) => {
      const record = await namedRun(request, operations);
      const { level } = stopIn(request);
      const { id, state, stop } = await operations.stop(record.id, level, "stopped over HTTP");
      deps.logger.info(`run ${id} was told to stop over HTTP`, { run: id, level });
      return { id, state, stop } satisfies z.input<typeof StoppedSchema>;
    },
    watchRun: async (request, reply) => {
      const { id } = await namedRun(request, operations);
      feed.requireRoom();
      reply.hijack();
      feed.add(id, startStream(reply.raw, world.headers));
    },
    getReport: async (request, reply) => {
      const isText = wantsText(request);
      const record = await namedRun(request, operations);
      const report = await operations.report(record);
      if (!isText) return report;
      reply.type("text/plain; charset=utf-8");
      return `${renderText(report, { width: REPORT_WIDTH, colour: false })}\n`;
    },
    listFiles: async (request) => {
      const record = await namedRun(request, operations);
      const files = await listRunFiles(record.id, deps.runDirectory(record));
      return { files } satisfies z.input<typeof FilesSchema>;
    },
    getFile: async (request, reply) => {
      const name = parameter(request, "file");
      if (!isRunFileName(name)) {
        throw new HttpProblem("NOT_FOUND", "there is no such file of a run", {
          hint: `those that there may be: ${Object.keys(RUN_FILE_TYPES).join(", ")}`,
        });
      }
      const record = await namedRun(request, operations);
      // The framework would read a whole file to tell its length.
      const open = request.method === "HEAD" ? measureRunFile : openRunFile;
      const { bytes, content } = await open(record.id, deps.runDirectory(record), name);
      return reply.type(RUN_FILE_TYPES[name]).header("content-length", bytes).send(content);
    },
    listAgents: async () => {
      const [agents, leader] = await Promise.all([operations.agents(), operations.leader()]);
      return { coordinator: leader?.leader ?? null, agents } satisfies z.input<typeof AgentsSchema>;
    },
    health: async () =>
      ({ status: "leading", ...requireLeading(watch, deps.instance) }) satisfies z.input<typeof HealthSchema>,
    metrics: async (_, reply) => {
      reply.type("text/plain; version=0.0.4; charset=utf-8");
      return renderMetrics(metricsInput(world));
    },
    describe: async (_, reply) => {
      reply.type(JSON_TYPE);
      return world.description;
    },
  };
}

function parameter(request: FastifyRequest, name: string): string {
  const { params } = request;
  const value: unknown =
    typeof params === "object" && params !== null ? Reflect.get(params, name) : undefined;
  return typeof value === "string" ? value : "";
}

/** By id or the beginning of one. Throws RUN_UNKNOWN. */
async function namedRun(request: FastifyRequest, operations: Operations): Promise<RunRecord> {
  const named = parameter(request, "run");
  if (isId(named)) return operations.run(named);
  throw new LoadError("RUN_UNKNOWN", "there is no run of that name: it is no id");
}

/** Throws PLAN_INVALID, PLAN_UNSUPPORTED_VERSION with every problem. */
function planIn(request: FastifyRequest, limits: ApiLimits): TestPlan {
  const parsed = parsePlan(request.body);
  if (parsed.ok) return parsed.plan;
  try {
    return requirePlan(request.body);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    throw new PlanRefusal(error, parsed.problems.slice(0, limits.problems));
  }
}

function stopIn(request: FastifyRequest): z.output<typeof StopSchema> {
  const parsed = StopSchema.safeParse(request.body);
  if (parsed.success) return parsed.data;
  throw new HttpProblem("BAD_REQUEST", 'the body must be {"level": "drain"} or {"level": "cut"}');
}

/** The query says it first, then the Accept header. */
function wantsText(request: FastifyRequest): boolean {
  const { query } = request;
  const format: unknown =
    typeof query === "object" && query !== null ? Reflect.get(query, "format") : undefined;
  if (format === "text" || format === "json") return format === "text";
  if (format !== undefined) throw new HttpProblem("BAD_REQUEST", "format must be json or text");
  const wanted = (request.headers.accept ?? "").split(",").map((one) => one.split(";")[0]?.trim());
  return wanted.includes("text/plain") && !wanted.includes("application/json");
}

function startStream(response: ServerResponse, headers: Readonly<Record<string, string>>): ServerResponse {
  // A proxy that gathers an answer before it passes it on would show nothing until the end.
  response.writeHead(200, { ...headers, "content-type": "text/event-stream", "x-accel-buffering": "no" });
  return response;
}

function metricsInput({ deps, watch, feed, limits }: HandlerWorld) {
  const leader = watch.roster.leader();
  return {
    version: deps.version,
    isLeading: watch.busTrouble === null && leader?.leaderInstance === deps.instance,
    leader,
    runs: watch.runs(),
    agents: watch.roster.agents(),
    droppedHeartbeats: watch.roster.overflow,
    streams: feed,
    limits,
  };
}
