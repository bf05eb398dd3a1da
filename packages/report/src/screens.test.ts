import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { auditSample, auditSource, consistentAudit } from "./audit-samples.js";
import { renderAudit } from "./audit-text.js";
import { displayWidth } from "./columns.js";
import { doubtfulComparison, pairComparison, threeSides } from "./compare-samples.js";
import { renderComparison } from "./compare-text.js";
import { renderConformance } from "./conformance-text.js";
import { definitionsSample } from "./definitions-samples.js";
import { renderDefinitions } from "./definitions-text.js";
import { badConformance, fineDoctor, goodConformance, wrongDoctor } from "./doctor-samples.js";
import { renderDoctor } from "./doctor-text.js";
import { renderLiveLine } from "./live-line.js";
import { renderLive } from "./live-screen.js";
import {
  badReport,
  gatheringUpdate,
  goodReport,
  liveUpdate,
  openReport,
  troubledUpdate,
} from "./screen-samples.js";
import { studySample } from "./study-samples.js";
import { renderStudy } from "./study-text.js";
import { renderText } from "./text-report.js";

const folder = fileURLToPath(new URL("../screens", import.meta.url));
/** Set to 1 to write the screens anew; look at the difference before you commit it. */
const regenerate = process.env["TOKENSTORM_UPDATE_SCREENS"] === "1";
const ESCAPE = String.fromCharCode(27);

type Screen = (options: { readonly width: number; readonly colour: boolean }) => string;
const where = { directory: "runs/20260314-092653-ladder-k3f9a2", again: "tokenstorm report k3f9a2" };
const screens: Readonly<Record<string, Screen>> = {
  "report-good": (options) => renderText(goodReport, { ...options, ...where }),
  "report-bad": (options) => renderText(badReport, { ...options, ...where }),
  "report-open": (options) => renderText(openReport, options),
  "live-running": (options) => renderLive(liveUpdate, options).join("\n"),
  "live-trouble": (options) => renderLive(troubledUpdate, { ...options, height: 34 }).join("\n"),
  "live-gathering": (options) => renderLive(gatheringUpdate, options).join("\n"),
  "audit-contradicted": (options) => renderAudit(auditSample, auditSource, options),
  "definitions-vllm": (options) => renderDefinitions(definitionsSample, options),
  "audit-consistent": (options) => renderAudit(consistentAudit, { ...auditSource, unused: [] }, options),
  "study-two": (options) => renderStudy(studySample, options),
  "compare-pair": (options) => renderComparison(pairComparison, options),
  "compare-three": (options) => renderComparison(threeSides, options),
  "compare-doubtful": (options) => renderComparison(doubtfulComparison, options),
  "doctor-wrong": (options) => renderDoctor(wrongDoctor, options),
  "doctor-fine": (options) => renderDoctor(fineDoctor, options),
  "conformance-good": (options) => renderConformance(goodConformance, options),
  "conformance-bad": (options) => renderConformance(badConformance, options),
  "line-all": ({ width }) =>
    [liveUpdate, troubledUpdate, gatheringUpdate].map((one) => renderLiveLine(one, { width })).join("\n"),
};

for (const [name, render] of Object.entries(screens)) {
  for (const width of [80, 120, 200]) {
    for (const colour of [false, true]) {
      test(`${name} at ${width} columns ${colour ? "in colour" : "without colour"} is as it is stored`, () => {
        const text = render({ width, colour });
        for (const line of text.split("\n")) {
          assert.ok(displayWidth(line) <= width, `${displayWidth(line)} columns: ${line}`);
          assert.equal(line.trimEnd(), line, "no spaces at the end");
        }
        if (!colour) assert.ok(!text.includes(ESCAPE), "no escape sequence without colour");
        const file = join(folder, `${name}-${width}${colour ? "-colour" : ""}.txt`);
        if (regenerate) {
          mkdirSync(folder, { recursive: true });
          writeFileSync(file, `${text}\n`);
        }
        assert.equal(`${text}\n`, readFileSync(file, "utf8"));
      });
    }
  }
}

test("no width, however small, makes a line overflow or a screen fail", () => {
  for (let width = 40; width <= 220; width += 7) {
    for (const [name, render] of Object.entries(screens)) {
      for (const line of render({ width, colour: true }).split("\n")) {
        assert.ok(displayWidth(line) <= width, `${name} at ${width}: ${displayWidth(line)} columns: ${line}`);
      }
    }
  }
});

test("colour adds nothing but colour", () => {
  const style = new RegExp(`${ESCAPE}\\[[0-9;]*m`, "g");
  for (const [name, render] of Object.entries(screens)) {
    for (const width of [80, 120, 200]) {
      const coloured = render({ width, colour: true }).replace(style, "");
      assert.equal(coloured, render({ width, colour: false }), name);
    }
  }
});

test("a live view never grows beyond the terminal, whatever the number of agents", () => {
  for (const height of [24, 30, 50]) {
    assert.ok(renderLive(troubledUpdate, { width: 120, height, colour: false }).length <= height - 1);
  }
});
