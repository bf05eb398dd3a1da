import type { RandomState } from "../random/random.js";
import type { ChatMessage } from "./data-set.js";
import type { DrawnPrompt } from "./drawn-prompt.js";
import type { Prompt } from "./prompt-kinds.js";

/** An image of a request: what it is made from. See `pngBody`, `pngOwn`. */
export interface ImageSpec {
  readonly width: number;
  readonly height: number;
  /** Equal states are equal images. */
  readonly state: RandomState;
}

/** What one request asks for. Lengths as asked; what the server counted stands beside them in the report. */
export interface RequestSpec {
  /** Which of the plan's `workloadMembers`. */
  readonly member: number;
  /** Of the text, the chat template included; images come on top. Null where nobody says: a file's own text. */
  readonly promptTokens: number | null;
  readonly outputTokens: number;
  readonly prompt: Prompt | { readonly kind: "messages"; readonly messages: readonly ChatMessage[] };
  readonly images: readonly ImageSpec[];
  readonly ignoreEos: boolean;
  readonly temperature: number | undefined;
  /** The run's salt keeps it apart from other runs' in a server's cache. */
  readonly isSalted: boolean;
  /** Of a conversation: which, and how its system message reads; empty where it has none. */
  readonly turn?: { readonly conversation: number; readonly turn: number; readonly system: string };
}

/** Of a request that carries what was said before: its prompt is the user's message alone. */
export interface ConversationTurn {
  /** Number of the user's conversation in the stage. */
  readonly conversation: number;
  /** 0 begins it. */
  readonly turn: number;
  readonly system: DrawnPrompt | null;
}

/** The same before a long prompt is drawn. */
export interface RequestDraft extends Omit<RequestSpec, "prompt" | "turn"> {
  readonly prompt: RequestSpec["prompt"] | DrawnPrompt;
  readonly turn?: ConversationTurn;
}

/** What a kind of workload says of a request. */
export type AskedText = Pick<RequestDraft, "promptTokens" | "outputTokens" | "prompt" | "turn">;

/** Where a key lies, apart from agents and from the warm-up: (domain, stage, user, j) or (domain, stage, k). */
export type Coordinates = readonly number[];

/** What a member of the workload is handed for each request. */
export interface RequestPlace {
  readonly at: Coordinates;
  /** Number of the request in its stage if users took turns: k, or j x users + user. */
  readonly turn: number;
}
