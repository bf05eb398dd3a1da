import assert from "node:assert/strict";
import { test } from "node:test";
import { leadingText } from "./leading-text.js";
import { goodReport } from "./screen-samples.js";

test("a run that was taken over says by whom and when, and when nobody led", () => {
  const report = goodReport;
  assert.equal(leadingText(report), undefined);
  const leading = {
    leaders: [
      { leader: "c1", term: 1, fromMs: null },
      { leader: "c2", term: 2, fromMs: 16_240 },
    ],
    unled: [{ fromMs: 4100, toMs: 16_200 }],
  };
  assert.equal(
    leadingText({ ...report, leading }),
    "led by c1 (term 1), then c2 (term 2) from 16.2 s; " +
      "nobody led from 4.1 s to 16.2 s: no threshold could end the run then",
  );
});
