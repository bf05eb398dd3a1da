import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pngBody, pngOwn, Random, randomState, STREAMS } from "@tokenstorm/core";
import { scratch } from "./cli.js";

const READ = `
import sys
from PIL import Image
for name in sys.argv[1:]:
    Image.open(name).verify()
    image = Image.open(name).convert("RGB")
    print(*image.size, len(image.getcolors()))
`;

test("Pillow, by which vLLM reads images, reads ours in their size, of four greys", (t) => {
  const hasPillow = spawnSync("python3", ["-c", "import PIL"]).status === 0;
  if (!hasPillow) {
    t.skip("python3 has no Pillow here");
    return;
  }
  const folder = scratch(t);
  const random = (seed: number) => new Random(randomState(seed, STREAMS.imageContent, []));
  const sizes = [
    [64, 48],
    [1023, 77],
    [1920, 1080],
  ] as const;
  const files = sizes.map(([width, height]) => {
    const body = pngBody({ width, height }, random(1));
    const { head, tail } = pngOwn(body, random(2));
    const file = join(folder, `${width}x${height}.png`);
    writeFileSync(file, Buffer.concat([head, body.bytes, tail]));
    return file;
  });
  const { stdout, stderr, status } = spawnSync("python3", ["-c", READ, ...files], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  assert.deepEqual(
    stdout.trim().split("\n"),
    sizes.map(([width, height]) => `${width} ${height} 4`),
  );
});
