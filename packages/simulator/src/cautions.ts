import type { SimulatorConfig } from "./options.js";

/** What a reader of figures from this server must know: which of its limits and times nobody ever measured. */
export function cautions(config: Pick<SimulatorConfig, "profile" | "stepModel" | "version">): string[] {
  const notes =
    config.stepModel === "table"
      ? [
          "step times are read from published tables (docs/simulator.md says which rows); KV capacity and prefill rates are derived or estimated, never measured",
        ]
      : [
          "step times and KV capacity are derived from data sheet and model shape with estimated efficiencies; nothing of it was measured",
        ];
  if (config.profile === "kimi-k2.5" && /^0\.(\d|1[0-4])(\.|$)/.test(config.version)) {
    notes.push(
      `vLLM ${config.version} did not run Kimi-K2.5: the study took a nightly build, releases have it from 0.15.0 on`,
    );
  }
  return notes;
}
