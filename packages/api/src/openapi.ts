import { BODY_LIMIT } from "./limits.js";
import { type Answer, COMMON_PROBLEMS, ROUTES, type Route, routeNames } from "./routes.js";
import { type JsonSchema, jsonSchemas, schemaRef } from "./schemas.js";

const PROBLEM_TEXTS: Readonly<Record<number, string>> = {
  400: "The request is not understood",
  401: "No token, or a wrong one",
  403: "A browser page of another site asks for a change",
  404: "There is no such run, file or report",
  413: `The body is larger than ${BODY_LIMIT}`,
  415: "The body is no JSON",
  421: "The Host header names another host (DNS rebinding)",
  422: "The plan is invalid: every problem is listed",
  500: "A bug",
  503: "NATS is away, this coordinator does not lead, or too many streams are open",
};

/** The description of the API: OpenAPI 3.1, made from the table of routes and the schemas of what is asked and answered. */
export function openApiDocument(options: {
  readonly version: string;
  /** This server asks for a token; else it is one on loopback that does not. */
  readonly isTokenNeeded: boolean;
}): Readonly<Record<string, unknown>> {
  const { version, isTokenNeeded } = options;
  const paths: Record<string, Record<string, unknown>> = {};
  for (const name of routeNames()) {
    const route = ROUTES[name];
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(name, route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "tokenstorm coordinator",
      version,
      description:
        "Runs, agents, live updates, files and metrics of a coordinator. See docs/http-api.md. Within /api/v1 fields may be added, never renamed or removed.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "The coordinator; http://127.0.0.1:7373 by default" }],
    security: isTokenNeeded ? [{ token: [] }] : [],
    paths,
    components: {
      schemas: jsonSchemas(),
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description:
            "The coordinator's TOKENSTORM_HTTP_TOKEN. Without one it listens on loopback alone, and asks for none.",
        },
      },
    },
  };
}

function operation(name: string, route: Route): Record<string, unknown> {
  const parameters = [...pathParameters(route.path), ...queryParameters(route.query ?? {})];
  return {
    operationId: name,
    summary: route.summary,
    ...(route.isOpen === true ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: { required: true, content: { "application/json": { schema: schemaRef(route.body) } } },
        }),
    responses: { ...answers(route.answers), ...problems(route) },
  };
}

const PARAMETER_TEXTS: Readonly<Record<string, string>> = {
  run: "A run's id, or the beginning of one that fits no other.",
  file: "A file's name.",
};

function pathParameters(path: string): unknown[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    description: PARAMETER_TEXTS[name],
    schema: { type: "string", minLength: 1, maxLength: 64 },
  }));
}

function queryParameters(query: NonNullable<Route["query"]>): unknown[] {
  return Object.entries(query).map(([name, { description, schema }]) => ({
    name,
    in: "query",
    required: false,
    description,
    schema,
  }));
}

function answers(all: Readonly<Record<number, Answer>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(all).map(([status, { description, content, headers }]) => [
      status,
      {
        description,
        ...(headers === undefined ? {} : { headers: mapValues(headers, headerOf) }),
        content: mapValues(content, (schema) => ({ schema })),
      },
    ]),
  );
}

const headerOf = (description: string) => ({ description, schema: { type: "string" } satisfies JsonSchema });

function problems(route: Route): Record<string, unknown> {
  const open = (status: number) => route.isOpen !== true || status !== 401;
  const statuses = [...route.problems, ...COMMON_PROBLEMS.map(({ status }) => status)].filter(open);
  return Object.fromEntries(
    [...new Set(statuses)].sort().map((status) => [
      status,
      {
        description: PROBLEM_TEXTS[status] ?? "A problem",
        content: { "application/json": { schema: schemaRef("Problem") } },
      },
    ]),
  );
}

function mapValues<In, Out>(
  record: Readonly<Record<string, In>>,
  change: (value: In) => Out,
): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
