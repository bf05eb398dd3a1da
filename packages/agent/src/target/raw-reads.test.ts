import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { RawReads } from "./raw-reads.js";

const SOCKET = new Socket();
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Reads of given bytes, on a clock that stands still unless it is moved. */
function world() {
  const clock = { us: 0, nowUs: () => clock.us };
  const reads = new RawReads(clock);
  const understood: { text: string; tUs: number; read: number }[] = [];
  const owner = {
    understand: (_socket: Socket, bytes: Buffer, from: number, to: number) => {
      const tUs = reads.stampUs();
      understood.push({ text: bytes.toString("latin1", from, to), tUs, read: reads.read });
    },
  };
  const read = (text: string, to: typeof owner = owner) => {
    reads.made(to, SOCKET, reads.buffer.write(text, "latin1"));
  };
  return { clock, reads, understood, owner, read };
}

test("a burst of reads is stamped as it is read, and understood in its order when no more comes", async () => {
  const { clock, understood, read } = world();
  for (const text of ["a", "b"]) {
    clock.us += 10;
    read(text);
  }
  assert.deepEqual(understood, []);
  await turn();
  // Something was read in the turn before: there may be more.
  assert.deepEqual(understood, []);
  clock.us += 10;
  read("c");
  await turn();
  await turn();
  assert.deepEqual(understood, [
    { text: "a", tUs: 10, read: 1 },
    { text: "b", tUs: 20, read: 2 },
    { text: "c", tUs: 30, read: 3 },
  ]);
});

test("sockets that are never quiet hold up what was read for five milliseconds and no longer", async () => {
  const { clock, understood, read } = world();
  for (let ms = 0; ms < 5; ms++) {
    read(`${ms}`);
    assert.equal(understood.length, 0);
    clock.us += 1000;
    await turn();
  }
  assert.deepEqual(
    understood.map(({ text }) => text),
    ["0", "1", "2", "3", "4"],
  );
});

test("whoever must know the state of a request has everything understood at once, and only once", async () => {
  const { clock, reads, understood, read } = world();
  read("a");
  clock.us = 7;
  reads.settle();
  assert.deepEqual(understood, [{ text: "a", tUs: 0, read: 1 }]);
  read("b");
  await turn();
  await turn();
  assert.deepEqual(understood.slice(1), [{ text: "b", tUs: 7, read: 2 }]);
});

test("settling from within what a read sets off leaves the rest its turn", () => {
  const { reads, understood, owner, read } = world();
  const nested = {
    understand: (...of: Parameters<typeof owner.understand>) => {
      reads.settle();
      owner.understand(...of);
    },
  };
  read("a", nested);
  read("b", nested);
  reads.settle();
  assert.deepEqual(
    understood.map(({ text }) => text),
    ["a", "b"],
  );
});

test("a large read is understood at once, behind the small ones before it", () => {
  const { clock, understood, read } = world();
  read("a");
  clock.us = 3;
  read("x".repeat(5000));
  assert.deepEqual(
    understood.map(({ text, tUs }) => [text.length, tUs]),
    [
      [1, 0],
      [5000, 3],
    ],
  );
});

test("more reads than there is room for are understood in order, and none is lost", () => {
  for (const length of [1, 4000]) {
    const { reads, understood, read } = world();
    const texts = Array.from({ length: 20_000 / length + 9000 }, (_, i) => String(i).padStart(length, "0"));
    for (const text of texts) read(text);
    assert.ok(understood.length > 0 && understood.length < texts.length);
    reads.settle();
    assert.deepEqual(
      understood.map(({ text }) => text),
      texts,
    );
  }
});

test("what threw while it was understood is not understood again", () => {
  const { reads, understood, read } = world();
  const bug = {
    understand: () => {
      throw new Error("a bug");
    },
  };
  read("a", bug);
  assert.throws(() => reads.settle(), /a bug/);
  read("b");
  reads.settle();
  assert.deepEqual(
    understood.map(({ text }) => text),
    ["b"],
  );
});

test("what asks to come after the reads comes at once, with all of them understood, and from within them last", () => {
  const { reads, understood, owner, read } = world();
  const done: string[] = [];
  const asks = {
    understand: (...of: Parameters<typeof owner.understand>) => {
      reads.after(() => done.push(`${understood.length} understood`));
      owner.understand(...of);
    },
  };
  read("a");
  reads.after(() => done.push(`${understood.length} understood`));
  read("b", asks);
  read("c");
  assert.deepEqual(done, ["1 understood"]);
  read("x".repeat(5000), asks);
  assert.deepEqual(done, ["1 understood", "4 understood", "4 understood"]);
});
