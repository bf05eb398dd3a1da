import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { seededRandom } from "../random.js";
import { VirtualClock } from "../virtual-clock.js";
import { FaultyDisk } from "./faulty-disk.js";
import { ProcessClock } from "./process-clock.js";

function aDisk() {
  const world = new VirtualClock();
  const disk = new FaultyDisk();
  const process = new ProcessClock({ world });
  const mount = disk.mount({ world, process, random: seededRandom(1), syncMaxUs: 0 });
  /** What becomes of it, once the disk has worked. */
  const told = async (work: Promise<unknown>): Promise<unknown> => {
    const [outcome] = await Promise.all([work.catch((error: unknown) => error), world.advanceByAsync(1)]);
    return outcome;
  };
  return { world, disk, mount, told };
}

const isFull = (error: unknown) =>
  error instanceof LoadError &&
  error.cause instanceof Error &&
  "code" in error.cause &&
  error.cause.code === "ENOSPC";

test("a full disk has every line once and in order as soon as there is room", async () => {
  const { world, disk, mount, told } = aDisk();
  const folder = await mount.open("r1");
  disk.fillUntil(1_000_000);
  for (const line of ["a", "b", "c"]) {
    folder.appendLine("lines", line);
    assert.ok(isFull(await told(folder.sync())), "a sync says that there is no room");
  }
  assert.ok(isFull(await told(folder.writeFile("report", "{}"))));
  assert.equal(disk.files("r1")?.has("report"), false);
  await world.advanceToAsync(1_000_000);
  folder.appendLine("lines", "d");
  assert.equal(await told(folder.sync()), undefined);
  assert.equal(disk.files("r1")?.get("lines"), "a\nb\nc\nd\n");
});

test("a full disk has room for no new folder, and opens the one that is there", async () => {
  const { disk, mount, told } = aDisk();
  await mount.open("r1");
  disk.fillUntil(1_000_000);
  assert.ok(isFull(await told(mount.open("r2"))));
  assert.deepEqual(disk.names, ["r1"]);
  assert.ok(!isFull(await told(mount.reopen("r1"))));
});

test("lines that no sync had taken when their folder was closed never get to the disk", async () => {
  const { disk, mount, told } = aDisk();
  const folder = await mount.open("r1");
  folder.appendLine("lines", "a");
  await told(folder.sync());
  for (let i = 0; i < 20; i += 1) folder.appendLine("lines", "a line that is in no sync");
  await told(folder.close());
  mount.lose();
  assert.equal(disk.files("r1")?.get("lines"), "a\n");
});
