import assert from "node:assert/strict";
import { chmodSync, existsSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { tempDir } from "@tokenstorm/testkit";
import { DATA_CACHE_ENV, dataSetFolder } from "./data-set-folder.js";

const NAME = `${"0".repeat(64)}.data`;
const BYTES = new Uint8Array([1, 2, 3]);

/** The folder for temporary files, for the time of a test; and where the usual folder lies in it. */
async function usualPlace(t: TestContext): Promise<string> {
  const before = process.env["TMPDIR"];
  const scratch = await tempDir(t);
  process.env["TMPDIR"] = scratch;
  t.after(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  });
  return join(scratch, `tokenstorm-data-${process.getuid?.() ?? 0}`);
}

test("what was put is there, in a folder that is made for this user alone", async (t) => {
  await usualPlace(t);
  const folder = dataSetFolder({});
  assert.equal(await folder.read(NAME), undefined);
  await folder.write(NAME, BYTES);
  assert.deepEqual(new Uint8Array((await folder.read(NAME)) ?? []), BYTES);
  assert.deepEqual(
    (await folder.list()).map(({ name, bytes }) => [name, bytes]),
    [[NAME, 3]],
  );
  await folder.remove(NAME);
  assert.equal(await folder.read(NAME), undefined);
});

test("nothing is put into the usual folder, nor read, nor taken out, where others may write to it, or it leads elsewhere", async (t) => {
  const place = await usualPlace(t);
  const folder = dataSetFolder({});
  await folder.write(NAME, BYTES);
  const isRefused = async () => {
    const works = [
      () => folder.read(NAME),
      () => folder.write(NAME, BYTES),
      () => folder.remove(NAME),
      () => folder.list(),
    ];
    for (const work of works) await assert.rejects(work, /not a folder that this user alone may write to/);
  };
  chmodSync(place, 0o777);
  await isRefused();
  chmodSync(place, 0o700);
  const elsewhere = `${place}-elsewhere`;
  renameSync(place, elsewhere);
  symlinkSync(elsewhere, place);
  await isRefused();
  assert.ok(existsSync(join(elsewhere, NAME)));
});

test("a folder that was named is taken as it is", async (t) => {
  const named = await tempDir(t);
  chmodSync(named, 0o777);
  await dataSetFolder({ [DATA_CACHE_ENV]: named }).write(NAME, BYTES);
});
