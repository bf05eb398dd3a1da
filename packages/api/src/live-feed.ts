import type { ServerResponse } from "node:http";
import { type Cancel, type Clock, type LiveUpdate, LoadError, type RunRecord } from "@tokenstorm/core";
import type { Operations, RunWatch } from "@tokenstorm/protocol";
import type { z } from "zod";
import type { ApiLimits } from "./limits.js";
import type { Logger } from "./logger.js";
import { HttpProblem, refusalOf } from "./problem.js";
import type { EndSchema } from "./schemas.js";

export interface LiveFeedOptions {
  readonly operations: Operations;
  readonly clock: Clock;
  readonly limits: ApiLimits;
  readonly logger: Logger;
  /** What was last heard of a run, for the first to watch it. */
  readonly latest: (run: string) => LiveUpdate | undefined;
}

/** A run that somebody watches: followed once, whoever watches. */
interface Channel {
  readonly watch: RunWatch;
  readonly streams: Set<ServerResponse>;
  /** The last event, for those who come later. */
  last: string | undefined;
}

/** Live updates as server-sent events. Each is encoded once; a reader that does not keep up is dropped. */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #channels = new Map<string, Channel>();
  #comments: Cancel | undefined;
  #dropped = 0;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  get open(): number {
    let open = 0;
    for (const { streams } of this.#channels.values()) open += streams.size;
    return open;
  }

  /** Readers that did not keep up. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Throws HttpProblem where no more streams are taken. Called before the response is begun. */
  requireRoom(): void {
    const { streams } = this.#options.limits;
    if (this.open < streams) return;
    throw new HttpProblem("TOO_MANY_STREAMS", `${streams} streams are open already`, {
      hint: "close one; the last figures are also at /metrics",
    });
  }

  /** Sends what comes of a run until its end. The response is this object's from now on. */
  add(run: string, response: ServerResponse): void {
    // Whoever left while the run was looked up has been closed already, and is not closed again.
    if (response.destroyed) return;
    const channel = this.#channels.get(run) ?? this.#follow(run);
    channel.streams.add(response);
    response.on("close", () => this.#remove(run, channel, response));
    response.on("error", () => response.destroy());
    response.write(channel.last ?? ": the next update comes within a second\n\n");
    this.#comments ??= this.#commentLater();
  }

  /** Ends every stream. May be called twice. */
  close(): void {
    this.#comments?.();
    for (const [run, channel] of [...this.#channels]) this.#endAll(run, channel, "");
  }

  #follow(run: string): Channel {
    const streams = new Set<ServerResponse>();
    const watch = this.#options.operations.watch({
      run,
      onLive: (update) => {
        channel.last = eventText("live", update);
        this.#tell(run, channel, channel.last);
      },
    });
    const known = this.#options.latest(run);
    const last = known === undefined ? undefined : eventText("live", known);
    const channel: Channel = { watch, streams, last };
    this.#channels.set(run, channel);
    watch.ended.then(
      (record) => this.#endAll(run, channel, eventText("end", endOf(record))),
      (error: unknown) => {
        if (!(error instanceof LoadError)) throw error;
        this.#endAll(run, channel, eventText("problem", refusalOf(error).body));
      },
    );
    return channel;
  }

  #tell(run: string, channel: Channel, text: string): void {
    for (const response of channel.streams) {
      if (response.destroyed) this.#remove(run, channel, response);
      // What the kernel does not take waits here; more of it than this is a reader that has stopped.
      else if (response.writableLength > this.#options.limits.streamBufferBytes) {
        this.#dropped += 1;
        this.#options.logger.warn("a viewer of live updates does not read: its stream is closed");
        response.destroy();
      } else response.write(text);
    }
  }

  #endAll(run: string, channel: Channel, lastWords: string): void {
    channel.watch.close();
    this.#channels.delete(run);
    for (const response of channel.streams) response.end(lastWords);
  }

  #remove(run: string, channel: Channel, response: ServerResponse): void {
    channel.streams.delete(response);
    if (channel.streams.size > 0 || this.#channels.get(run) !== channel) return;
    channel.watch.close();
    this.#channels.delete(run);
  }

  #commentLater(): Cancel {
    const { clock, limits } = this.#options;
    return clock.at(clock.nowUs() + limits.streamCommentMs * 1000, () => {
      for (const [run, channel] of this.#channels) this.#tell(run, channel, ": still here\n\n");
      this.#comments = this.#channels.size > 0 ? this.#commentLater() : undefined;
    });
  }
}

function endOf({ id, state, problem }: RunRecord): z.input<typeof EndSchema> {
  return { id, state, problem };
}

/** JSON has no raw newline, so an event's data is one line. */
function eventText(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
