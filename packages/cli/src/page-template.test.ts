import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { templateAt } from "./page-template.js";

test("a page that was not built is named with the command that builds it", () => {
  assert.throws(
    () => templateAt("/nowhere/page.html"),
    (error) =>
      error instanceof LoadError &&
      error.code === "RESULTS_UNREADABLE" &&
      error.message === "the report page is not built: /nowhere/page.html is missing" &&
      error.hint === "node scripts/build-page.mjs",
  );
});
