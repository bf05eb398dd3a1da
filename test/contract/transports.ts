import { after, type TestContext, test } from "node:test";
import { createMemoryHub, type Transport } from "@tokenstorm/protocol";
import { connectNats, type RunningNatsServer, startNatsServer } from "@tokenstorm/protocol/nats";
import { natsServerOrSkip, tempDir } from "@tokenstorm/testkit";

/** One more client of what this test shares. The first one prepares what a server needs; all are closed at the end. */
export type Connect = () => Promise<Transport>;

/** A place of its own for one test: undefined where the implementation cannot be had here. */
type Harness = (t: TestContext) => Promise<(() => Promise<Transport>) | undefined>;

const memory: Harness = async () => {
  const hub = createMemoryHub();
  return async () => hub.connect();
};

let server: Promise<RunningNatsServer> | undefined;
const cleanUps: (() => Promise<void>)[] = [];
let places = 0;

/** One server for a file; each test has a prefix of its own. */
const nats: Harness = async (t) => {
  const bin = await natsServerOrSkip(t);
  if (bin === undefined) return undefined;
  server ??= tempDir({ after: (clean) => cleanUps.push(clean) }).then((dataDir) =>
    startNatsServer({ bin, dataDir }),
  );
  const { url } = await server;
  places += 1;
  const prefix = `t${places}`;
  return () => connectNats({ servers: [url], name: "contract", role: "coordinator", prefix });
};

after(async () => {
  await (await server)?.close();
  // Not before: the server writes into its folder while it ends.
  for (const clean of cleanUps) await clean();
});

const IMPLEMENTATIONS: Readonly<Record<string, Harness>> = { memory, nats };

/** What hangs has failed. */
const LIMIT_MS = 30_000;

/** A test that every implementation must pass. */
export function contract(name: string, body: (t: TestContext, connect: Connect) => Promise<void>): void {
  for (const [implementation, harness] of Object.entries(IMPLEMENTATIONS)) {
    test(`${implementation}: ${name}`, { timeout: LIMIT_MS }, async (t) => {
      const connect = await harness(t);
      if (connect === undefined) return;
      const opened: Transport[] = [];
      try {
        await body(t, async () => {
          const transport = await connect();
          opened.push(transport);
          return transport;
        });
      } finally {
        await Promise.all(opened.map((transport) => transport.close()));
      }
    });
  }
}

/** Collects what arrives; `next(n)` resolves once there are n. */
export function inbox<T>(): { readonly items: T[]; push(item: T): void; next(count: number): Promise<T[]> } {
  const items: T[] = [];
  const waiting = new Set<() => void>();
  return {
    items,
    push: (item) => {
      items.push(item);
      for (const check of waiting) check();
    },
    next: (count) =>
      new Promise((resolve) => {
        const check = () => {
          if (items.length < count) return;
          waiting.delete(check);
          resolve(items.slice(0, count));
        };
        waiting.add(check);
        check();
      }),
  };
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array | undefined): string | undefined =>
  data === undefined ? undefined : new TextDecoder().decode(data);
