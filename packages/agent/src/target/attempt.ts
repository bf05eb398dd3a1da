import type { RequestEnd } from "@tokenstorm/core";
import type { Channel, ChannelOptions } from "./channel.js";
import type { Answer } from "./exchange.js";
import type { PreparedRequest, RequestSink } from "./target.js";

const TEXT_CHARACTERS = 2000;

/** One request sent by itself, outside of any load, with all that is known of it. Stamps as in `RequestSink`. */
export interface Attempt {
  readonly startUs: number;
  readonly connectedUs: number | null;
  readonly sentUs: number | null;
  readonly headersUs: number | null;
  readonly firstEventUs: number | null;
  readonly firstTokenUs: number | null;
  readonly lastTokenUs: number | null;
  readonly endUs: number;
  readonly connectUs: number | null;
  readonly events: number;
  readonly tokens: number;
  /** What was generated, cut to a length fit to be shown. */
  readonly text: string;
  readonly end: RequestEnd;
  readonly answer: Answer;
}

/** Sends it on a socket of its own, which is closed afterwards. Never rejects: how it ended is in the attempt. */
export async function attemptRequest(options: ChannelOptions, request: PreparedRequest): Promise<Attempt> {
  const channel = options.wiring.reader.open(options);
  const startUs = options.wiring.clock.nowUs();
  try {
    return await new Promise<Attempt>((resolve) => {
      channel.send(request, new AttemptSink({ channel, startUs, onAttempt: resolve }));
    });
  } finally {
    channel.close();
  }
}

interface AttemptSinkOptions {
  readonly channel: Channel;
  readonly startUs: number;
  readonly onAttempt: (attempt: Attempt) => void;
}

class AttemptSink implements RequestSink {
  readonly #options: AttemptSinkOptions;
  #connectedUs: number | null = null;
  #connectUs: number | null = null;
  #sentUs: number | null = null;
  #headersUs: number | null = null;
  #firstEventUs: number | null = null;
  #firstTokenUs: number | null = null;
  #lastTokenUs: number | null = null;
  #events = 0;
  #tokens = 0;
  #text = "";

  constructor(options: AttemptSinkOptions) {
    this.#options = options;
  }

  onConnected(tUs: number, connectUs: number): void {
    this.#connectedUs = tUs;
    this.#connectUs = connectUs;
  }

  onSent(tUs: number): void {
    this.#sentUs = tUs;
  }

  onHeaders(tUs: number): void {
    this.#headersUs = tUs;
  }

  onEvent(tUs: number, tokens: number): void {
    this.#events++;
    this.#firstEventUs ??= tUs;
    if (this.#text.length < TEXT_CHARACTERS) {
      this.#text = (this.#text + this.#options.channel.answer.text).slice(0, TEXT_CHARACTERS);
    }
    if (tokens === 0) return;
    this.#tokens += tokens;
    this.#firstTokenUs ??= tUs;
    this.#lastTokenUs = tUs;
  }

  onStaleRetry(): void {
    // Its socket is always a fresh one.
  }

  onEnd(tUs: number, end: RequestEnd): void {
    const { channel, startUs, onAttempt } = this.#options;
    onAttempt({
      startUs,
      connectedUs: this.#connectedUs,
      sentUs: this.#sentUs,
      headersUs: this.#headersUs,
      firstEventUs: this.#firstEventUs,
      firstTokenUs: this.#firstTokenUs,
      lastTokenUs: this.#lastTokenUs,
      endUs: tUs,
      connectUs: this.#connectUs,
      events: this.#events,
      tokens: this.#tokens,
      text: this.#text,
      end,
      answer: channel.answer,
    });
  }
}
