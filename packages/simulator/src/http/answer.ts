import type { Exchange } from "./connection.js";
import { responseHead, toByteString } from "./response.js";

/** A whole answer in one write. */
export function answerText(exchange: Exchange, status: number, contentType: string, text: string): void {
  const body = toByteString(text);
  const headers = { "content-length": body.length, ...(body === "" ? {} : { "content-type": contentType }) };
  exchange.write(responseHead(status, headers, exchange.request.keepAlive) + body);
  exchange.done();
}

export function answerJson(exchange: Exchange, status: number, json: string): void {
  answerText(exchange, status, "application/json", json);
}
