const SHOWN_CHARACTERS = 200;

/** The beginning of what a server sent, on one line, as it may stand in a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, SHOWN_CHARACTERS));
}
