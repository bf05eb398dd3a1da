import { parseDurationMs } from "@tokenstorm/core";
import { isId } from "@tokenstorm/protocol";
import { InvalidArgumentError } from "commander";

/** Parsers of flag values for commander: a wrong value is wrong use (exit 2). */

export function count(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError("it is not a whole number.");
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("it is not a positive number.");
}

/** `auto`, or how many. */
export function processCount(text: string): number | "auto" {
  if (text === "auto") return "auto";
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= 1024) return value;
  throw new InvalidArgumentError("it is neither auto nor a number from 1 to 1024.");
}

export function durationMs(text: string): number {
  const value = parseDurationMs(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError("it is no duration: write 500ms, 30s or 2m.");
}

/** An agent's name: it becomes part of subjects and keys. */
export function agentId(text: string): string {
  if (isId(text)) return text;
  throw new InvalidArgumentError("use letters, digits, _ and -, at most 64.");
}

/** `key=value`, once or several times. */
export function label(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1 || at > 64 || text.length - at > 257) {
    throw new InvalidArgumentError("write key=value, such as zone=a.");
  }
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** One of a list of words. */
export function oneOf<Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`it is none of ${words.join(", ")}.`);
  };
}

/** The same for numbers. */
export function oneOfNumbers<N extends number>(numbers: readonly N[]): (text: string) => N {
  return (text) => {
    const found = numbers.find((number) => String(number) === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`it is none of ${numbers.join(", ")}.`);
  };
}
