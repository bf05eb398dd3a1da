import { assert } from "@tokenstorm/core";
import type { Endpoint } from "./endpoint.js";
import type { PreparedRequest } from "./target.js";

export interface RequestHeadOptions {
  readonly endpoint: Endpoint;
  readonly path: string;
  /** Names and values in turn, without the request id. */
  readonly headers: readonly string[];
}

/** Writes the requests of one channel: what is the same in all of them is put into words once. */
export class RequestHead {
  readonly #common: string;

  constructor({ endpoint, path, headers }: RequestHeadOptions) {
    const fields = pairs(headers);
    const host = fields.find(([name]) => name === "host")?.[1] ?? new URL(endpoint.origin).host;
    const others = fields.filter(([name]) => name !== "host").map(([name, value]) => `${name}: ${value}\r\n`);
    this.#common = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n${others.join("")}`;
  }

  /** Head and body in one piece, so that they are one write, and no copy lies beside the body for long. */
  message({ id, body }: PreparedRequest): Buffer {
    assert(/^[\x21-\x7e]+$/.test(id), `no header can carry the request id ${JSON.stringify(id)}`);
    const head = `${this.#common}x-request-id: ${id}\r\ncontent-length: ${body.length}\r\n\r\n`;
    const message = Buffer.allocUnsafe(head.length + body.length);
    message.write(head, 0, "latin1");
    message.set(body, head.length);
    return message;
  }
}

function pairs(headers: readonly string[]): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) found.push([headers[i] ?? "", headers[i + 1] ?? ""]);
  return found;
}
