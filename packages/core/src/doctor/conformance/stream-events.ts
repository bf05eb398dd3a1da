/** One event of a stream: its data, and the line that it begins at, from 1. */
export interface StreamEvent {
  readonly data: string;
  readonly line: number;
}

export interface StreamEvents {
  readonly events: readonly StreamEvent[];
  /** The first thing that is not as the contract frames events; null where nothing is. */
  readonly fault: string | null;
  /** What is legal and not vLLM's way, such as comments. */
  readonly remark: string | null;
}

/**
 * Takes a stream apart by the contract's framing, which is narrower than server-sent events allow: one `data:` line, one
 * empty line. A data line that follows another counts as an event of its own, so that one fault does not look like many.
 */
export function streamEvents(text: string): StreamEvents {
  const events: StreamEvent[] = [];
  let fault: string | null = null;
  let remark: string | null = null;
  let isOpen = false;
  const lines = text.split("\n");
  for (const [index, raw] of lines.entries()) {
    const isLast = index === lines.length - 1;
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    if (line !== raw) remark ??= "lines end in CR LF, which is legal";
    const number = index + 1;
    if (line === "") {
      // What follows the last line end is no line.
      if (!isLast) isOpen = false;
    } else if (line.startsWith("data:")) {
      if (isOpen)
        fault ??= `the event at line ${number} begins before an empty line has ended the one before it`;
      events.push({ data: line.slice(line[5] === " " ? 6 : 5), line: number });
      isOpen = true;
      if (isLast) fault ??= `line ${number}, the last, does not end`;
    } else if (/^(:|event:|id:|retry:)/.test(line))
      remark ??= `line ${number} is "${line.slice(0, 40)}", which is legal`;
    else fault ??= `line ${number} is no field of an event: "${line.slice(0, 60)}"`;
  }
  if (isOpen) fault ??= "the last event is not ended by an empty line";
  return { events, fault, remark };
}
