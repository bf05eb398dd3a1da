import { once } from "node:events";
import type { WriteStream } from "node:tty";

const WIDTH_OF_A_FILE = 120;
const NARROWEST = 40;

/** Where a command writes: reports to stdout; the live view, logs and errors to stderr. */
export interface Terminal {
  /** Writes to stdout; resolves when it has been taken. Adds a newline. */
  print(text: string): Promise<void>;
  /** Writes a line to stderr. */
  say(text: string): void;
  /** Writes to stderr as it is. */
  draw(text: string): void;
  readonly stdout: Screen;
  readonly stderr: Screen;
}

export interface Screen {
  readonly isTty: boolean;
  readonly colour: boolean;
  /** Columns; of a file or pipe, what COLUMNS says, else 120. */
  width(): number;
  height(): number | undefined;
}

/** The process's own streams. */
export function processTerminal(): Terminal {
  let isClosed = false;
  for (const stream of [process.stdout, process.stderr]) {
    // Whoever read us has gone (`| head`): there is nobody left to write to.
    stream.on("error", () => {
      isClosed = true;
    });
  }
  return {
    print: async (text) => {
      if (!isClosed && !process.stdout.write(`${text}\n`)) {
        await Promise.race([once(process.stdout, "drain"), once(process.stdout, "close")]).catch(
          () => undefined,
        );
      }
    },
    say: (text) => {
      if (!isClosed) process.stderr.write(`${text}\n`);
    },
    draw: (text) => {
      if (!isClosed) process.stderr.write(text);
    },
    stdout: screenOf(process.stdout),
    stderr: screenOf(process.stderr),
  };
}

function screenOf(stream: WriteStream): Screen {
  const isTty = stream.isTTY === true;
  const { NO_COLOR, TERM, COLUMNS } = process.env;
  return {
    isTty,
    colour: isTty && (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb",
    width: () => {
      const columns = isTty ? stream.columns : Number(COLUMNS);
      return Math.max(NARROWEST, columns > 0 ? columns : WIDTH_OF_A_FILE);
    },
    height: () => (isTty && stream.rows > 0 ? stream.rows : undefined),
  };
}
