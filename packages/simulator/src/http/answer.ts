import type { Exchange } from "./connection.js";
import { type ResponseHeaders, responseHead, toByteString } from "./response.js";

/** A whole answer in one write. */
export function answerText(
  exchange: Exchange,
  status: number,
  contentType: string,
  text: string,
  more: ResponseHeaders = {},
): void {
  const body = toByteString(text);
  const type = body === "" ? {} : { "content-type": contentType };
  const headers = { "content-length": body.length, ...type, ...more };
  exchange.write(responseHead(status, headers, exchange.request.keepAlive) + body);
  exchange.done();
}

export function answerJson(exchange: Exchange, status: number, json: string, more?: ResponseHeaders): void {
  answerText(exchange, status, "application/json", json, more);
}
