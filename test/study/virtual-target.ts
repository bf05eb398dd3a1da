import type { Preflight, PreparedRequest, RequestSink, Target, TargetOptions } from "@tokenstorm/agent";
import {
  type Calibration,
  type Clock,
  calibrationFromChats,
  calibrationText,
  type RequestEnd,
} from "@tokenstorm/core";
import type { VirtualRequest, VirtualServer } from "@tokenstorm/simulator";

/**
 * The agent's target with the simulator's engine behind it instead of a socket: no time passes on the way. What it tells
 * of is what a reader would tell: headers at once, the role with the first token, a token for each event.
 */
export function createVirtualTarget(server: VirtualServer, clock: Clock, { plan }: TargetOptions): Target {
  const endpoint = plan.target.api === "openai-completions" ? "completions" : "chat";
  const open = new Set<VirtualRequest>();
  return {
    preflight: async (): Promise<Preflight> => {
      const { model, version } = server;
      // A plain prompt is sent as tokens.
      const calibration = endpoint === "chat" ? calibrated(server) : { wordsPerToken: 1, templateTokens: 0 };
      return { model, ...calibration, serverVersion: version, reader: "virtual" };
    },
    afterReads: (run: () => void) => run(),
    send: (_slot: number, prepared: PreparedRequest, sink: RequestSink) => {
      const sentUs = clock.nowUs();
      sink.onSent(sentUs);
      sink.onHeaders(sentUs);
      let isFirst = true;
      const end = (how: Omit<RequestEnd, "usage" | "tokenSource">) => {
        open.delete(request);
        const usage = request.usage();
        sink.onEnd(clock.nowUs(), { ...how, usage, tokenSource: "continuous" });
      };
      const request = server.send(prepared.id, endpoint, prepared.body, {
        onToken: (nowUs, isContent, finish) => {
          if (isFirst) sink.onEvent(nowUs, 0, false, false);
          isFirst = false;
          sink.onEvent(nowUs, 1, isContent, false);
          if (finish === null) return;
          const { exactOutputTokens } = prepared;
          const isWrong = exactOutputTokens !== null && request.usage().output !== exactOutputTokens;
          end({
            outcome: isWrong ? { kind: "failed", reason: "wrong-length" } : { kind: "completed" },
            finish,
          });
        },
      });
      open.add(request);
      return {
        cancel: () => {
          if (!open.has(request)) return;
          request.abort();
          end({ outcome: { kind: "cancelled" }, finish: null });
        },
      };
    },
    get openSockets() {
      return open.size;
    },
    get mostToOnePlace() {
      return open.size;
    },
    close: async () => {
      for (const request of open) request.abort();
      open.clear();
    },
  };
}

/** As an agent does it where there is no /tokenize: by what two chats count. */
function calibrated(server: VirtualServer): Calibration {
  const [short, long] = [16, 512].map((words) => {
    const messages = [{ role: "user", content: calibrationText(words) }];
    const body = JSON.stringify({ model: server.model, messages, max_tokens: 1, stream: true });
    return { words, chatTokens: server.promptTokens("chat", new TextEncoder().encode(body)) };
  });
  if (short === undefined || long === undefined) throw new Error("two chats were counted");
  return calibrationFromChats(short, long);
}
