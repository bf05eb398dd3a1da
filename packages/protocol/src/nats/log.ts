import { randomUUID } from "node:crypto";
import type { ConsumerMessages } from "@nats-io/jetstream";
import { LoadError } from "@tokenstorm/core";
import type { Subscription } from "../bus.js";
import type { LogEntry, ResultId, ResultLog } from "../result-log.js";
import { checkedId } from "../subjects.js";
import { callSafely } from "./bus.js";
import { toLoadError } from "./errors.js";
import type { JetStreamLink } from "./stores.js";

/** How many entries the server may send ahead. */
const FETCH_AHEAD = 256;
/** Life of one question for entries; the library looks again after so long when a restart took its consumer. */
const ASK_MS = 2000;
const REOPEN_MS = 500;
/**
 * The server says each half of ASK_MS that it is there. A consumer that says nothing is asked how it is by the library, for
 * ever; one that lived on a server of a cluster which is gone does not answer, nor is it told to be gone.
 */
const UNHEARD_MS = 8000;
const LOOK_MS = 1000;

/** Results in the JetStream stream. */
export function createNatsLog(
  link: JetStreamLink,
  /** Makes the stream anew where it is gone; only a coordinator may. */
  repair: (() => Promise<void>) | undefined,
): ResultLog & { close(): void } {
  const followers = new Set<Subscription>();
  // Ids that others could guess could be used up by them, and a result then be taken for a twin.
  const own = randomUUID();
  return {
    append: async (id, data, { timeoutMs }) => {
      const subject = link.subjects.result(id.run, id.agent, id.kind);
      try {
        const msgID = `${own}:${messageId(id)}`;
        const ack = await link.js.publish(subject, data, { msgID, timeout: timeoutMs });
        return { duplicate: ack.duplicate };
      } catch (error) {
        throw toLoadError(error, `handing over ${id.kind} ${id.seq} of ${id.agent}`);
      }
    },
    follow: async (run, handler, options) => {
      const follower = createFollower(link, checkedId(run), { handler, onError: options?.onError, repair });
      await follower.open();
      followers.add(follower);
      return {
        close: () => {
          followers.delete(follower);
          follower.close();
        },
      };
    },
    runs: async () => {
      try {
        const info = await link.manager.streams.info(link.names.results, {
          subjects_filter: link.subjects.results,
        });
        const head = link.subjects.results.slice(0, -1);
        const subjects = Object.keys(info.state.subjects ?? {});
        return [...new Set(subjects.map((subject) => subject.slice(head.length).split(".")[0] ?? ""))];
      } catch (error) {
        throw toLoadError(error, "listing the runs in the log");
      }
    },
    purge: async (run) => {
      try {
        await link.manager.streams.purge(link.names.results, { filter: link.subjects.resultsOf(run) });
      } catch (error) {
        throw toLoadError(error, `forgetting run ${run}`);
      }
    },
    close: () => {
      for (const follower of followers) follower.close();
      followers.clear();
    },
  };
}

function messageId(id: ResultId): string {
  return [id.run, id.agent, id.epoch, id.kind, id.seq, id.resend].join(":");
}

/**
 * Reads a run's entries in order through an ordered consumer. The library makes a new one where it was after a restart;
 * should it give up, a new one is opened here, for as long as the connection lives.
 */
function createFollower(
  link: JetStreamLink,
  run: string,
  {
    handler,
    onError,
    repair,
  }: {
    readonly handler: (entry: LogEntry) => void;
    readonly onError: ((error: Error) => void) | undefined;
    readonly repair: (() => Promise<void>) | undefined;
  },
): Subscription & { open(): Promise<void> } {
  const head = link.subjects.resultsOf(run).slice(0, -1);
  let position = 0;
  /** When the stream was made in which positions count. */
  let madeAt: string | undefined;
  let isClosed = false;
  let heardAtMs = 0;
  let messages: ConsumerMessages | undefined;
  let reopening: NodeJS.Timeout | undefined;

  const open = async () => {
    try {
      await beginAnewIfMadeAnew();
      const consumer = await link.js.consumers.get(link.names.results, {
        filter_subjects: link.subjects.resultsOf(run),
        opt_start_seq: position + 1,
      });
      messages = await consumer.consume({
        max_messages: FETCH_AHEAD,
        expires: ASK_MS,
        callback: (message) => {
          heardAtMs = performance.now();
          if (isClosed || message.seq <= position) return;
          position = message.seq;
          const [agent, kind, more] = message.subject.slice(head.length).split(".");
          // Of another form is only what somebody else wrote there.
          if (agent === undefined || kind === undefined || more !== undefined) return;
          callSafely(() => handler({ position: message.seq, run, agent, kind, data: message.data }));
        },
      });
    } catch (error) {
      throw toLoadError(error, `following the results of run ${run}`);
    }
    if (isClosed) messages.stop();
    void messages.closed().then(reopenLater);
    void watch(messages);
  };

  /** Another stream of this name, made while nobody looked, begins at 1 again: all of it would seem to have been read. */
  const beginAnewIfMadeAnew = async () => {
    const { created } = await link.manager.streams.info(link.names.results);
    const isAnother = madeAt !== undefined && created !== madeAt;
    madeAt = created;
    if (!isAnother) return false;
    position = 0;
    const message = `the stream with the results of run ${run} was made anew: it is read from its beginning`;
    onError?.(new LoadError("BUS_UNAVAILABLE", message));
    return true;
  };

  /** A stream that is gone, or a consumer, keeps the library asking for ever, without a word. */
  const watch = async (followed: ConsumerMessages) => {
    heardAtMs = performance.now();
    let isRepairing = false;
    const looking = setInterval(() => {
      // Another one goes on where this one was.
      if (!isRepairing && performance.now() - heardAtMs > UNHEARD_MS) followed.stop();
    }, LOOK_MS);
    looking.unref();
    void followed.closed().then(() => clearInterval(looking));
    for await (const notice of followed.status()) {
      if (notice.type !== "heartbeats_missed") heardAtMs = performance.now();
      if (notice.type === "ordered_consumer_recreated") {
        // Unanswered, it is looked at again: opening the next consumer does that first.
        if (!(await beginAnewIfMadeAnew().catch(() => true))) continue;
        followed.stop();
        return;
      }
      if (notice.type !== "stream_not_found" || isClosed) continue;
      const message = `the stream ${notice.name} with the results of run ${run} is gone`;
      onError?.(new LoadError("BUS_UNAVAILABLE", message));
      if (repair === undefined) continue;
      isRepairing = true;
      const isMended = await repaired(repair);
      isRepairing = false;
      heardAtMs = performance.now();
      if (!isMended) continue;
      // Whatever is in the new one begins at 1.
      position = 0;
      followed.stop();
      return;
    }
  };

  const repaired = async (make: () => Promise<void>) => {
    try {
      await make();
      return true;
    } catch (error) {
      onError?.(toLoadError(error, "making the stream of results anew"));
      return false;
    }
  };

  const reopenLater = (error: unknown) => {
    if (isClosed || link.connection.isClosed()) return;
    if (error instanceof Error) onError?.(toLoadError(error, `following the results of run ${run}`));
    reopening = setTimeout(() => void open().catch(reopenLater), REOPEN_MS);
  };

  return {
    open,
    close: () => {
      isClosed = true;
      clearTimeout(reopening);
      messages?.stop();
    },
  };
}
