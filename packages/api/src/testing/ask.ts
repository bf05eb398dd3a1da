import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { connect } from "node:net";

export interface Asked {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | undefined;
}

/** One request on a connection of its own, with just these headers: a browser's or a client's own would be in the way. */
export function ask(url: string, { method = "GET", headers = {}, body }: AskOptions = {}): Promise<Asked> {
  const { hostname, port, origin } = new URL(url);
  // As it was written: a URL's own reading would take the dots out of a path.
  const path = url.slice(origin.length);
  return new Promise((resolve, reject) => {
    const asking = request({ hostname, port, path, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
      response.on("error", reject);
    });
    asking.on("error", reject);
    asking.end(body);
  });
}

export function askJson(url: string, body: unknown, headers: OutgoingHttpHeaders = {}): Promise<Asked> {
  const type = { "content-type": "application/json", ...headers };
  return ask(url, { method: "POST", headers: type, body: JSON.stringify(body) });
}

/** What comes back for these bytes, until the server closes. */
export function askRaw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setEncoding("utf8");
    socket.on("data", (part: string) => {
      text += part;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}
