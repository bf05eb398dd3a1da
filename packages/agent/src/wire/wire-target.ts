import type { Clock, TestPlan } from "@tokenstorm/core";
import { createEndpoints } from "../target/endpoint.js";
import { resolveApiKey, withoutKey } from "../target/request-headers.js";
import type { WireAnswer } from "./wire-answer.js";
import {
  openWireConnection,
  type WireConnection,
  type WireOptions,
  type WireRequest,
} from "./wire-connection.js";

/** A server that is asked for evidence, one exchange at a time. */
export interface WireTarget {
  readonly url: string;
  /** A key goes along with every request. */
  readonly hasKey: boolean;
  /** Rejects with an error whose message says why. */
  open(): Promise<WireConnection>;
  /** A request with the plan's own headers and key; `withKey: false` leaves the key out. */
  request(
    method: WireRequest["method"],
    path: string,
    options?: {
      readonly json?: unknown;
      readonly text?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly withKey?: boolean;
    },
  ): WireRequest;
  /** Opens, asks, closes. */
  ask(request: WireRequest, options: WireOptions): Promise<WireAnswer>;
  /** A text from the server, without the key. */
  shown(text: string): string;
}

/** For the first URL of a plan's target. Throws LoadError SECRET_MISSING for a key that is not there. */
export function createWireTarget(
  plan: Pick<TestPlan, "target" | "timeouts">,
  { env, clock }: { readonly env: Readonly<Record<string, string | undefined>>; readonly clock: Clock },
): WireTarget {
  const [endpoint] = createEndpoints(plan.target);
  if (endpoint === undefined) throw new Error("a plan without URLs");
  const key = resolveApiKey(plan.target, env);
  const open = () => openWireConnection(endpoint, { clock, connectMs: plan.timeouts.connectMs });
  return {
    url: endpoint.url,
    hasKey: key !== null,
    open,
    request: (method, path, { json, text, headers = {}, withKey = true } = {}) => ({
      method,
      path: `${endpoint.basePath}${path}`,
      headers: {
        ...(method === "POST" ? { "content-type": "application/json" } : {}),
        accept: "*/*",
        ...plan.target.headers,
        ...headers,
      },
      ...(key === null || !withKey ? {} : { secretHeaders: { authorization: `Bearer ${key.value}` } }),
      ...(json === undefined && text === undefined ? {} : { body: text ?? JSON.stringify(json) }),
    }),
    ask: async (request, options) => {
      const connection = await open();
      try {
        return await connection.ask(request, options);
      } finally {
        connection.close();
      }
    },
    shown: (text) => withoutKey(text, key),
  };
}
