import type { Socket } from "node:net";
import { assert, type Clock } from "@tokenstorm/core";
import { mostToOnePlace } from "../local-ports.js";
import type { Channel, Reader, Wiring } from "./channel.js";
import { apiPath, createEndpoints, type Endpoint } from "./endpoint.js";
import { NO_GUARD, requireAllowed, type TargetGuard } from "./guard.js";
import { runPreflight } from "./preflight.js";
import { hidingKey, requestHeaders, resolveApiKey } from "./request-headers.js";
import type { Preflight, PreparedRequest, RequestSink, Target, TargetOptions } from "./target.js";

export interface HttpTargetOptions extends TargetOptions {
  readonly clock: Pick<Clock, "nowUs" | "at">;
  readonly guard: TargetGuard | undefined;
  readonly reader: Reader;
}

/**
 * The server under load over HTTP/1.1, read by whatever reader: one channel for each slot and URL. Secrets and files are
 * read on the first use; see `Target.preflight` for what it throws.
 */
export class HttpTarget implements Target {
  readonly #options: HttpTargetOptions;
  readonly #guard: TargetGuard;
  readonly #wiring: Wiring;
  /** By slot, then by URL. */
  readonly #channels: (Channel | undefined)[][] = [];
  #endpoints: readonly Endpoint[] | null = null;
  #headers: readonly string[] | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: HttpTargetOptions) {
    this.#options = options;
    this.#guard = options.guard ?? NO_GUARD;
    this.#wiring = {
      clock: options.clock,
      reader: options.reader,
      sockets: new Set<Socket>(),
      timeouts: options.plan.timeouts,
    };
  }

  get openSockets(): number {
    return this.#wiring.sockets.size;
  }

  get mostToOnePlace(): number {
    return mostToOnePlace(this.#wiring.sockets);
  }

  async preflight(): Promise<Preflight> {
    const endpoints = this.#prepareEndpoints();
    // Before the key is looked at: a plan that may not be sent needs none.
    await requireAllowed(endpoints, this.#guard, this.#wiring);
    const key = resolveApiKey(this.#options.plan.target, this.#options.env);
    const { plan } = this.#options;
    return hidingKey(key, () => runPreflight({ plan, key, endpoints, wiring: this.#wiring }));
  }

  send(slot: number, request: PreparedRequest, sink: RequestSink): { cancel(): void } {
    assert(this.#closed === null, "send after close");
    assert(Number.isInteger(slot) && slot >= 0 && slot < this.#options.slots, `no slot ${slot}`);
    return this.#channel(slot, request.url).send(request, sink);
  }

  afterReads(run: () => void): void {
    this.#options.reader.reads.after(run);
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    for (const slot of this.#channels) for (const channel of slot ?? []) channel?.close();
    const { sockets } = this.#wiring;
    const ends = Array.from(
      sockets,
      (socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
    );
    for (const socket of sockets) socket.destroy();
    await Promise.all(ends);
  }

  #channel(slot: number, url: number): Channel {
    let ofSlot = this.#channels[slot];
    if (ofSlot === undefined) {
      ofSlot = [];
      this.#channels[slot] = ofSlot;
    }
    let channel = ofSlot[url];
    if (channel === undefined) {
      channel = this.#openChannel(url);
      ofSlot[url] = channel;
    }
    return channel;
  }

  #openChannel(url: number): Channel {
    const { target } = this.#options.plan;
    const endpoint = this.#prepareEndpoints()[url];
    assert(endpoint !== undefined, `the plan has no URL ${url}`);
    this.#headers ??= requestHeaders(target, resolveApiKey(target, this.#options.env));
    const path = apiPath(endpoint, target.api);
    return this.#options.reader.open({ wiring: this.#wiring, endpoint, path, headers: this.#headers });
  }

  #prepareEndpoints(): readonly Endpoint[] {
    this.#endpoints ??= createEndpoints(this.#options.plan.target, this.#guard.rules);
    return this.#endpoints;
  }
}
