// The runtime's own `fetch`, used as its documentation shows: the body as a stream, text decoded, events split, JSON parsed.
import { clientOptions, firstTokens, nowUs, requestBody, stampLog, watchWindow } from "../lib/client.mjs";

const options = clientOptions();
const { port, streams, tokens, out } = options;
const url = `http://127.0.0.1:${port}/v1/chat/completions`;
const log = stampLog(options);
let isOver = false;

async function stream(slot) {
  for (let serial = 0; !isOver; serial++) {
    const id = `b-${slot}-${serial}`;
    const request = log.open(id);
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": id },
      body: requestBody(serial === 0 ? firstTokens(slot, options) : tokens),
    });
    const decoder = new TextDecoder();
    let text = "";
    for await (const bytes of response.body) {
      const tUs = nowUs();
      text += decoder.decode(bytes, { stream: true });
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        if (event !== "data: [DONE]" && JSON.parse(event.slice(6)).choices[0]?.delta.content)
          log.token(request, tUs);
      }
    }
  }
}

const ends = Array.from({ length: streams }, (_, slot) => stream(slot));
const figures = await watchWindow(options, log);
isOver = true;
void ends;
await log.write(out);
console.log(JSON.stringify(figures));
// Streams that are open have no more to say.
process.exit();
