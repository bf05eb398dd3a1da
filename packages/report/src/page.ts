// What the page itself needs of this package: types and words, and nothing that folds or reads a run.
export { bestDrift, driftWords } from "./best-drift.js";
export { endText } from "./end-text.js";
export * from "./page/report-data.js";
export * from "./units.js";
