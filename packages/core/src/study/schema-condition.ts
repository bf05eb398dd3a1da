import { z } from "zod";
import { DeploymentFacts } from "../plan/schema-facts.js";
import { durationMs, note } from "../plan/schema-parts.js";
import { Target } from "../plan/schema-target.js";
import { STUDY_BOUNDS, STUDY_DEFAULTS } from "./study-defaults.js";

export const STUDY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const studyName = z.string().regex(STUDY_NAME, "is no name: letters, digits, . _ -, at most 64");

const words = z.array(z.string().min(1).max(8192)).min(1).max(256);
const text = z.string().min(1).max(1000);

const healthKeys = {
  healthUrl: z
    .url({ protocol: /^https?$/, error: "is no http or https URL" })
    .max(2048)
    .optional()
    .meta(
      note("Answers 200 when the server may be loaded; /health of the first target URL by default.", {
        example: "http://127.0.0.1:8000/health",
      }),
    ),
  healthWaitMs: durationMs(
    "How long the server may take until it does, after a switch.",
    STUDY_BOUNDS.healthWaitMs,
    "20m",
  ).prefault(STUDY_DEFAULTS.hooks.healthWaitMs),
  usuallyMs: durationMs(
    "What a switch usually takes until the server answers; only for the cost that is printed first.",
    STUDY_BOUNDS.healthWaitMs,
    "5m",
  ).optional(),
  warmUp: z
    .strictObject({
      requests: z
        .int()
        .min(0)
        .max(100_000)
        .default(STUDY_DEFAULTS.hooks.warmUp.requests)
        .meta(
          note("Requests of the suite to come, in a run of their own after each switch; 0 is none.", {
            unit: "requests",
            example: 32,
          }),
        ),
      users: z
        .int()
        .min(1)
        .max(10_000)
        .default(STUDY_DEFAULTS.hooks.warmUp.users)
        .meta(note("Users that send them.", { unit: "users", example: 8 })),
    })
    .prefault({})
    .meta(note("What is sent to a server that has just been switched. It is kept, and never counted.")),
};

const PLACES =
  "`{condition}`, `{suite}`, `{repeat}`, `{mode}`, `{timeScale}` and `{seed}` (made of the study's, another for each condition and repeat) in it are filled in";

export const Hooks = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z
      .literal("command")
      .meta(
        note(
          "Commands of this file switch the server. They run only with `--allow-hooks`, in the folder of the study file, " +
            "without a shell unless `shell` says so, and again whenever the filled-in words differ from those that ran last.",
        ),
      ),
    switch: words.optional().meta(
      note(`Command and arguments, run to its end before a condition is measured; ${PLACES}.`, {
        example: ["./switch.sh", "{condition}"],
      }),
    ),
    serve: words
      .optional()
      .meta(
        note(
          `Command and arguments that serve while the condition is measured: started after \`switch\`, ended (SIGTERM) before the next one and at the end; ${PLACES}. A first word \`tokenstorm\` is this very program.`,
          { example: ["tokenstorm", "simulate", "--port", "18000"] },
        ),
      ),
    shell: z
      .boolean()
      .default(STUDY_DEFAULTS.hooks.shell)
      .meta(note("Hands each command, its words joined by blanks, to /bin/sh -c.", { example: true })),
    timeLimitMs: durationMs(
      "`switch` is killed, and the study stops, after so long.",
      STUDY_BOUNDS.timeLimitMs,
      "5m",
    ).prefault(STUDY_DEFAULTS.hooks.timeLimitMs),
    stopLimitMs: durationMs(
      "How long `serve` may take to end after SIGTERM before it is killed.",
      STUDY_BOUNDS.stopLimitMs,
      "2m",
    ).prefault(STUDY_DEFAULTS.hooks.stopLimitMs),
    ...healthKeys,
  }),
  z.strictObject({
    kind: z
      .literal("manual")
      .meta(
        note(
          "A person switches the server, and says so by Enter, or where there is no terminal by making the file that is named.",
        ),
      ),
    instructions: z
      .string()
      .min(1)
      .max(4000)
      .optional()
      .meta(note("What that person is told.", { example: "start the server with AITER off" })),
    ...healthKeys,
  }),
  z.strictObject({
    kind: z.literal("none").meta(note("The server is there, and stays what it is.")),
    ...healthKeys,
  }),
]);

export const Condition = z.strictObject({
  name: studyName.meta(note("Name in suites and in the report.", { example: "llama-aiter-on" })),
  // Here the facts stand beside the target, and come into every plan from there.
  target: Target.omit({ facts: true }).meta(
    note("The servers under load, as in a plan.", { example: { urls: ["http://127.0.0.1:8000"] } }),
  ),
  facts: DeploymentFacts.prefault({}).meta(note("What is known of the deployment.")),
  confounders: z
    .array(z.string().min(1).max(500))
    .max(50)
    .default([])
    .meta(
      note("What else differs from the other conditions, so that a difference may come of it.", {
        example: ["four GPUs where the others have eight"],
      }),
    ),
  simulated: z
    .strictObject({
      profile: text.meta(note("The simulator's profile.", { example: "llama-3.1-405b" })),
      calibratedBy: z
        .array(text)
        .max(100)
        .default([])
        .meta(
          note("Series of published rows that the profile was fitted to: meeting these proves nothing.", {
            example: ["multirun-llama-3.1-405b"],
          }),
        ),
    })
    .optional()
    .meta(
      note(
        "The target is the simulator: published rows are marked as calibrated or predicted, and the report says so.",
      ),
    ),
  hooks: Hooks.prefault({ kind: "none" }).meta(note("How the server becomes this condition.")),
});

export type StudyHooks = z.output<typeof Hooks>;
export type StudyCondition = z.output<typeof Condition>;
