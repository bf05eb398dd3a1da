const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

export type ResponseHeaders = Readonly<Record<string, string | number>>;

/** Status line and headers in uvicorn's order, with the empty line. */
export function responseHead(status: number, headers: ResponseHeaders, keepAlive: boolean): string {
  let head = `HTTP/1.1 ${status} ${REASONS[status] ?? "Unknown"}\r\ndate: ${httpDate()}\r\nserver: uvicorn\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
  if (!keepAlive) head += "connection: close\r\n";
  return `${head}\r\n`;
}

/** UTF-8 as one character per byte, which is what goes to the socket: its length is the byte length. */
export function toByteString(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what ASCII means.
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** One HTTP chunk around bytes that are given one per character. */
export function httpChunk(bytes: string): string {
  return `${bytes.length.toString(16)}\r\n${bytes}\r\n`;
}

export const LAST_CHUNK = "0\r\n\r\n";

let dateSecond = -1;
let dateText = "";

/** Formatted once a second; the response head is on the path of every request. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
