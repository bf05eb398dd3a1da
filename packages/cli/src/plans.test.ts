import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { dataSetsOf } from "@tokenstorm/core";
import { checkPlan, readPlanFile } from "./plan-file.js";
import { readPlanFiles } from "./plan-files.js";

const folder = fileURLToPath(new URL("../../../plans", import.meta.url));

for (const name of readdirSync(folder).filter((one) => one.endsWith(".yaml"))) {
  test(`plans/${name} is a plan, and its files are right`, async () => {
    const path = join(folder, name);
    const { plan, files } = await readPlanFiles(checkPlan(await readPlanFile(path)), path);
    for (const { sha256, file } of dataSetsOf(plan)) assert.ok(files.has(sha256 ?? ""), file);
  });
}
