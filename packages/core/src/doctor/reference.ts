import { CONFORMANCE_CHECKS } from "./conformance/checks.js";
import { DOCTOR_NOTES, DOCTOR_RULES, type DoctorRule, STUDIED_ENGINE } from "./rules.js";

/** The table of rules in docs/doctor.md. */
export function doctorRuleTable(): string {
  const rows = DOCTOR_RULES.map(
    (rule) =>
      `| \`${rule.id}\` | ${rule.severity} | ${whom(rule)} | ${rule.needs} | ${rule.reason}${symptomOf(rule)} | ${reachOf(rule)} | ${rule.source} |`,
  );
  const notes = DOCTOR_NOTES.map(
    ({ id, models, text, source }) => `\`${id}\` (${models.join(", ")}): ${text}. Source: ${source}.`,
  );
  return [
    "| rule | severity | for | needs | why, and what is seen where it is broken | known for | source |",
    "|---|---|---|---|---|---|---|",
    ...rows,
    "",
    `Told beside them: ${notes.join(" ")}`,
  ].join("\n");
}

function whom({ appliesTo: { attention, models, modality } }: DoctorRule): string {
  if (models !== undefined) return models.join(", ");
  if (attention !== undefined) return attention;
  return modality === undefined ? "all" : `models that take ${modality}s`;
}

const symptomOf = ({ symptom }: DoctorRule): string => (symptom === null ? "" : `; ${symptom}`);

function reachOf({ engine, platform }: DoctorRule): string {
  const where = platform === undefined ? "" : `, ${platform === "rocm" ? "ROCm" : "CUDA"}`;
  if (engine.kind === "any") return `any vLLM${where}`;
  const gone = engine.goneFrom === undefined ? "" : `; gone from ${engine.goneFrom.version}`;
  return `vLLM ${STUDIED_ENGINE}${where}${gone}`;
}

/** The tables of checks in docs/conformance.md, by the sections of the contract. */
export function conformanceTable(): string {
  const rows = CONFORMANCE_CHECKS.map(
    ({ id, expects, contract }) => `| \`${id}\` | ${expects} | ${contract} |`,
  );
  return ["| check | expected | section |", "|---|---|---|", ...rows].join("\n");
}
