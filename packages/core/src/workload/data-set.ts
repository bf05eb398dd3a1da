import { LoadError } from "../errors.js";
import type { DataSetWorkload } from "../plan/schema.js";

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What one line of a file asks for. */
export interface DataSetEntry {
  /** A prompt of its own, or the messages of a chat. */
  readonly content: string | readonly ChatMessage[];
  /** Null where the line does not say. */
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
}

export type DataSetSource = Pick<DataSetWorkload, "file" | "format" | "fields">;

/** The longest length that a plan may name too, tokens. */
const LONGEST = 10_000_000;
const ROLES = ["system", "user", "assistant"] as const;

/**
 * The lines of a file of prompts, each checked; lines without anything are passed over. Throws DATASET_INVALID, naming
 * file, line and field. `isChat`: messages can be sent as well.
 */
export function parseDataSet(
  text: string,
  source: DataSetSource,
  { isChat }: { readonly isChat: boolean },
): readonly DataSetEntry[] {
  const isText = source.format === "text" || (source.format === "auto" && source.file.endsWith(".txt"));
  const entries: DataSetEntry[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const content = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (content.trim() === "") continue;
    const at: Place = { file: source.file, line: i + 1 };
    entries.push(
      isText
        ? { content, inputTokens: null, outputTokens: null }
        : readLine(content, source.fields, { at, isChat }),
    );
  }
  if (entries.length === 0) throw new LoadError("DATASET_INVALID", `${source.file} has no prompt in it`);
  return entries;
}

/** Where something stands in a file. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A line's complaint, for a person. */
export function invalidLine({ file, line }: Place, complaint: string, hint?: string): LoadError {
  return new LoadError("DATASET_INVALID", `${file}, line ${line}: ${complaint}`, { hint });
}

/** A line of JSONL as an object. Throws DATASET_INVALID. */
export function parseJsonLine(line: string, at: Place): object {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw invalidLine(
      at,
      "is no JSON",
      "each line of a JSONL file is one object; format: text takes lines as they are",
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw invalidLine(at, "is no JSON object");
}

export function fieldOf(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

interface LineWorld {
  readonly at: Place;
  readonly isChat: boolean;
}

function readLine(line: string, fields: DataSetSource["fields"], { at, isChat }: LineWorld): DataSetEntry {
  const value = parseJsonLine(line, at);
  return {
    content: readContent(value, fields, { at, isChat }),
    inputTokens: readLength(value, fields.inputTokens, at),
    outputTokens: readLength(value, fields.outputTokens, at),
  };
}

function readContent(
  value: object,
  fields: DataSetSource["fields"],
  { at, isChat }: LineWorld,
): DataSetEntry["content"] {
  const prompt = fieldOf(value, fields.prompt);
  const messages = fieldOf(value, fields.messages);
  if (prompt !== undefined && messages !== undefined)
    throw invalidLine(at, `has both ${fields.prompt} and ${fields.messages}`);
  if (messages !== undefined) {
    if (!isChat)
      throw invalidLine(
        at,
        `${fields.messages} cannot be sent to completions`,
        "write target.api: openai-chat",
      );
    return readMessages(messages, fields.messages, at);
  }
  if (typeof prompt === "string" && prompt !== "") return prompt;
  if (prompt === undefined) {
    const others = Object.keys(value).slice(0, 8).join(", ");
    throw invalidLine(
      at,
      `has neither ${fields.prompt} nor ${fields.messages}`,
      `it has ${others === "" ? "no field at all" : others}: name the one that holds the prompt by workload.fields.prompt`,
    );
  }
  throw invalidLine(at, `${fields.prompt} must be a text that is not empty`);
}

function readMessages(value: unknown, field: string, at: Place): readonly ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0)
    throw invalidLine(at, `${field} must be a list of messages that is not empty`);
  const items: readonly unknown[] = value;
  const messages = items.map((item, i) => {
    const where = `${field}[${i}]`;
    if (typeof item !== "object" || item === null) throw invalidLine(at, `${where} must be {role, content}`);
    const role = ROLES.find((one) => one === fieldOf(item, "role"));
    if (role === undefined) throw invalidLine(at, `${where}.role must be one of ${ROLES.join(", ")}`);
    const content = fieldOf(item, "content");
    if (typeof content !== "string") throw invalidLine(at, `${where}.content must be a text`);
    return { role, content };
  });
  if (messages.at(-1)?.role !== "user") throw invalidLine(at, `${field} must end with a message of the user`);
  return messages;
}

function readLength(value: object, field: string, at: Place): number | null {
  const length = fieldOf(value, field);
  if (length === undefined || length === null) return null;
  if (typeof length === "number" && Number.isInteger(length) && length >= 1 && length <= LONGEST)
    return length;
  throw invalidLine(at, `${field} must be a whole number of tokens from 1 to ${LONGEST}`);
}
