import type { HttpGet } from "@tokenstorm/coordinator";

/** Metrics of a large cluster have some megabytes; more is something else. */
const MOST_BYTES = 32 * 1024 * 1024;

/** One GET. Rejects with a reason for a person: no answer in time, refused, too large. */
export const httpGet: HttpGet = async (url, { timeoutMs }) => {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { signal, redirect: "follow" });
    return { status: response.status, body: await bodyOf(response) };
  } catch (error) {
    throw new Error(reasonOf(error, timeoutMs), { cause: error });
  }
};

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error(`the answer is larger than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Fetch says "fetch failed"; what happened stands in its cause. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) {
    return "code" in cause && cause.code === "ECONNREFUSED" ? "connection refused" : cause.message;
  }
  return error instanceof Error ? error.message : String(error);
}
