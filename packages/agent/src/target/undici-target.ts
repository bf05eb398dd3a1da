import type { Socket } from "node:net";
import { assert, type Clock } from "@tokenstorm/core";
import { Connection, type Wiring } from "./connection.js";
import { apiPath, createEndpoints, type Endpoint } from "./endpoint.js";
import { NO_GUARD, requireAllowed, type TargetGuard } from "./guard.js";
import { runPreflight } from "./preflight.js";
import { ReadStamps } from "./read-stamps.js";
import { hidingKey, requestHeaders, resolveApiKey } from "./request-headers.js";
import type { Preflight, PreparedRequest, RequestSink, Target, TargetOptions } from "./target.js";

/**
 * The default reader: undici's parser and connections, one client for each slot and URL. Secrets and files are read on
 * the first use; see `Target.preflight` for what it throws.
 */
export function createUndiciTarget(
  options: TargetOptions,
  clock: Pick<Clock, "nowUs" | "at">,
  guard: TargetGuard = NO_GUARD,
): Target {
  return new UndiciTarget(options, clock, guard);
}

class UndiciTarget implements Target {
  readonly #options: TargetOptions;
  readonly #guard: TargetGuard;
  readonly #wiring: Wiring;
  /** By slot, then by URL. */
  readonly #connections: (Connection | undefined)[][] = [];
  #endpoints: readonly Endpoint[] | null = null;
  #headers: readonly string[] | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: TargetOptions, clock: Pick<Clock, "nowUs" | "at">, guard: TargetGuard) {
    this.#options = options;
    this.#guard = guard;
    this.#wiring = {
      clock,
      reads: new ReadStamps(clock),
      sockets: new Set<Socket>(),
      timeouts: options.plan.timeouts,
    };
  }

  get openSockets(): number {
    return this.#wiring.sockets.size;
  }

  async preflight(): Promise<Preflight> {
    const endpoints = this.#prepareEndpoints();
    // Before the key is looked at: a plan that may not be sent needs none.
    await requireAllowed(endpoints, this.#guard, this.#wiring);
    const key = resolveApiKey(this.#options.plan.target, this.#options.env);
    const { plan } = this.#options;
    return hidingKey(key, () =>
      runPreflight({ plan, key, endpoints, wiring: this.#wiring, reader: "undici" }),
    );
  }

  send(slot: number, request: PreparedRequest, sink: RequestSink): { cancel(): void } {
    assert(this.#closed === null, "send after close");
    assert(Number.isInteger(slot) && slot >= 0 && slot < this.#options.slots, `no slot ${slot}`);
    return this.#connection(slot, request.url).send(request, sink);
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    for (const slot of this.#connections) for (const connection of slot ?? []) connection?.close();
    const { sockets } = this.#wiring;
    const ends = Array.from(
      sockets,
      (socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
    );
    for (const socket of sockets) socket.destroy();
    await Promise.all(ends);
  }

  #connection(slot: number, url: number): Connection {
    let ofSlot = this.#connections[slot];
    if (ofSlot === undefined) {
      ofSlot = [];
      this.#connections[slot] = ofSlot;
    }
    let connection = ofSlot[url];
    if (connection === undefined) {
      connection = this.#createConnection(url);
      ofSlot[url] = connection;
    }
    return connection;
  }

  #createConnection(url: number): Connection {
    const { target } = this.#options.plan;
    const endpoint = this.#prepareEndpoints()[url];
    assert(endpoint !== undefined, `the plan has no URL ${url}`);
    this.#headers ??= requestHeaders(target, resolveApiKey(target, this.#options.env));
    const path = apiPath(endpoint, target.api);
    return new Connection({ wiring: this.#wiring, endpoint, path, headers: this.#headers });
  }

  #prepareEndpoints(): readonly Endpoint[] {
    this.#endpoints ??= createEndpoints(this.#options.plan.target, this.#guard.rules);
    return this.#endpoints;
  }
}
