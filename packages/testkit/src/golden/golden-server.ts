import {
  CLOSE,
  RESET,
  type ScriptedServer,
  type ScriptedStep,
  startScriptedServer,
} from "../scripted-server.js";
import type { GoldenCase } from "./golden-case.js";
import type { GoldenClock } from "./golden-clock.js";
import { CLOSING, chat, event, usage, VLLM_HEAD } from "./golden-pieces.js";

/** The request that meets the case, the one before it where the case wants a used connection, and the one after it. */
export const GOLDEN_REQUEST = "golden";
export const BEFORE_REQUEST = "before";
export const NEXT_REQUEST = "next";

/** A plain good answer of two tokens, by running usage. */
const GOOD: readonly Uint8Array[] = [
  VLLM_HEAD,
  ...event(chat({ role: "assistant", content: "" }, null, usage(0))),
  ...event(chat({ content: "Red" }, null, usage(1))),
  ...event(chat({ content: " sky" }, "length", usage(2))),
  ...CLOSING,
].map(({ bytes }) => bytes);

export interface GoldenServer extends ScriptedServer {
  /** When the request had arrived as a whole; null before. */
  readonly arrivedUs: number | null;
  /** For each step of the case that was begun, when it was; a write's is taken just before its bytes go to the kernel. */
  readonly stampsUs: readonly number[];
  /** Resolves when the case is over, its last pause included, also when the client hung up long before. */
  played(): Promise<void>;
}

export interface GoldenServerOptions {
  readonly clock: GoldenClock;
  /** Waited for before each step; told how many bytes of the answer are written. */
  readonly beforeStep: (writtenBytes: number) => Promise<void>;
}

/**
 * Plays a golden case to whoever asks with its request id, and notes when. Pauses pass on the given clock, so that in
 * virtual time the answer has exactly the gaps that the case says.
 */
export async function startGoldenServer(
  example: GoldenCase,
  { clock, beforeStep }: GoldenServerOptions,
): Promise<GoldenServer> {
  const stampsUs: number[] = [];
  let arrivedUs: number | null = null;
  let isStaleSpent = example.staleDeath === null;

  let passing: Promise<void> = Promise.resolve();
  let finished: () => void = () => undefined;
  const played = new Promise<void>((resolve) => {
    finished = resolve;
  });

  async function* play(): AsyncIterable<ScriptedStep> {
    arrivedUs = clock.nowUs();
    try {
      yield* playSteps();
    } finally {
      void passing.then(finished);
    }
  }

  async function* playSteps(): AsyncIterable<ScriptedStep> {
    let written = 0;
    for (const step of example.steps) {
      await beforeStep(written);
      stampsUs.push(clock.nowUs());
      switch (step.kind) {
        case "write":
          written += step.bytes.length;
          yield step.bytes;
          break;
        case "flood":
          for (let i = 0; i < step.times; i++) yield step.bytes;
          break;
        case "pause":
          passing = clock.pause(step.ms);
          yield { kind: "wait", until: passing };
          break;
        case "reset":
          yield RESET;
          break;
        case "close":
          yield CLOSE;
          break;
      }
    }
    await beforeStep(written);
  }

  const server = await startScriptedServer((request) => {
    if (request.headers["x-request-id"] !== GOLDEN_REQUEST) return GOOD;
    if (isStaleSpent) return play();
    isStaleSpent = true;
    return [example.staleDeath === "reset" ? RESET : CLOSE];
  });
  return Object.create(server, {
    arrivedUs: { get: () => arrivedUs },
    stampsUs: { value: stampsUs },
    played: { value: () => played },
  });
}
