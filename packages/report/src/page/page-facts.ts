import type { RunReport } from "@tokenstorm/core";
import { clockTexts } from "../clock-text.js";
import {
  agentsTexts,
  completenessText,
  observedText,
  requestsText,
  serverText,
  serverTimesText,
  tokensText,
  troubleTexts,
} from "../facts-text.js";
import { leadingText } from "../leading-text.js";
import { lossTexts } from "../loss-text.js";
import { answerTexts, failureTimeTexts, outlierTexts } from "../member-text.js";
import { proofTexts } from "../proof-text.js";
import { saturationText } from "../saturation-text.js";
import { stampsTexts } from "../stamps-text.js";
import { stimulusTexts } from "../stimulus-text.js";
import type { Fact, Tone } from "./report-data.js";

const TONES = { green: "good", yellow: "warning", red: "bad" } as const;
const THRESHOLDS = { passed: "good", failed: "bad", inconclusive: "warning" } as const;

/** What the text report says below its table, in the same words. */
export function pageFacts(report: RunReport): Fact[] {
  const { stages } = report;
  const facts = (label: string, texts: readonly string[], tone: Tone = "plain") =>
    texts.map((text) => ({ label, text, tone }));
  const times = serverTimesText(report);
  const saturation = saturationText(report);
  const complete = completenessText(report);
  const leading = leadingText(report);
  const unexplained = (report.totals.server.checks ?? []).some(({ agrees }) => agrees === false);
  return [
    ...facts("stamps", stampsTexts(stages)),
    ...report.thresholds.map((threshold) => ({
      label: "thresholds",
      text: `${threshold.result}: ${threshold.expression} (${observedText(threshold)})`,
      tone: THRESHOLDS[threshold.result],
    })),
    ...facts("stimulus", stimulusTexts(stages)),
    ...facts("requests", [requestsText(report)]),
    ...troubleTexts(stages).flatMap(([label, text]) => facts(label, [text], "bad")),
    ...facts("failed", failureTimeTexts(stages)),
    ...facts("answers", answerTexts(stages)),
    ...facts("saturation", saturation === undefined ? [] : [saturation]),
    ...facts("tokens", [tokensText(report)]),
    ...facts("server", [serverText(report)], unexplained ? "warning" : "plain"),
    ...facts("server", times === undefined ? [] : [times]),
    { label: "complete", text: complete.text, tone: complete.isWhole ? "good" : "bad" },
    ...agentsTexts(report).map(({ text, colour }) => ({ label: "agents", text, tone: TONES[colour] })),
    ...clockTexts(report).map(({ text, colour }) => ({
      label: "clocks",
      text,
      tone: colour === "plain" ? ("plain" as const) : ("warning" as const),
    })),
    ...facts("leading", leading === undefined ? [] : [leading], "warning"),
    ...facts("lost", lossTexts(report), "warning"),
    ...facts("outliers", outlierTexts(stages), "warning"),
    ...(report.proof === undefined ? [] : proofTexts(report.proof)).map(({ text, isSame }) => ({
      label: "proof",
      text,
      tone: isSame === false ? ("warning" as const) : ("plain" as const),
    })),
  ];
}
