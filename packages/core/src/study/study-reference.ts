import { sections } from "../plan/reference.js";
import { formatDurationMs } from "../plan/schema-parts.js";
import { STUDY_VERSION, studyJsonSchema } from "./parse-study.js";
import { STUDY_DEFAULTS } from "./study-defaults.js";

/** docs/study-file.md: every key of a study file, from the same schema that checks one. */
export function studyReference(): string {
  const isElsewhere = (path: string) => path === "conditions[].target" || path === "suites[].plan";
  // What several kinds of hooks have alike is told once.
  const told = new Set(sections("", studyJsonSchema(), isElsewhere));
  return `${[INTRODUCTION, ...told, DEFAULTS].join("\n\n")}\n`;
}

const INTRODUCTION = `# The study file

<!-- Written by scripts/generate-docs.mjs from the study file's schema: change packages/core/src/study, then run it. -->

A study is YAML or JSON. It says under which *conditions* (a target and what is known of its deployment) which *suites* (a
plan each) are run, how often and in which order, and what the result is held against. \`tokenstorm study FILE --dry-run\`
names every problem at once, or shows schedule, cost in hours and commands; docs/study.md tells how one is run.
[study-file.schema.json](study-file.schema.json) is the same as a JSON Schema, for editors. Studies to start from are in
[plans/study/](../plans/study).

The least that makes a study:

\`\`\`yaml
version: ${STUDY_VERSION}
name: before-and-after
repeats: 5
order: interleaved
conditions:
  - { name: before, target: { urls: [http://127.0.0.1:8000] }, hooks: { kind: manual } }
  - { name: after, target: { urls: [http://127.0.0.1:8000] }, hooks: { kind: manual } }
suites:
  - name: levels
    phase: ab
    pairs: [{ a: before, b: after }]
    plan: { load: { kind: users, stages: [{ users: 100, durationMs: 2m }] } }
\`\`\`

**Commands.** A study file may name commands that switch the server. A file that came from elsewhere must not run anything
unseen, so they run only with \`--allow-hooks\`; without it such a study is refused before anything is done. They run without a
shell unless \`shell: true\` stands beside them, in the folder of the study file, in a process group of their own, and without
the variables that let tokenstorm in to NATS. What they write is kept in \`hooks/\` of the study's directory.

**Switching.** The server is switched before the first run of a condition, and again whenever the filled-in words of its
hooks differ from those that ran last: words with \`{repeat}\` or \`{seed}\` in them start it anew for each repeat. After a switch
the health URL must answer 200. Where \`serve\` is used, nothing may answer there before it was started: what was left over would
be measured in its place. (A study that is killed outright cannot end what \`serve\` started: end it by hand before it is gone on with.)

**Order.** \`sequential\` takes one condition after the other with all its suites and repeats; \`interleaved\` and \`random\` go repeat
by repeat over all conditions of a suite, so that a drift of the machine falls on all of them alike. Suites with
\`sequential\` that stand side by side are run together, condition by condition.

**Salt.** Every run gets a fresh salt, so that no repeat is answered from the prefix cache of the one before (but for \`prompts:
identical\`, which carry none).`;

const { hooks, modes, ...rest } = STUDY_DEFAULTS;

const DEFAULTS = `## Defaults

| default | value |
|---|---|
${[
  ...Object.entries(rest),
  ...Object.entries(modes).map(([name, factor]) => [`modes.${name}`, factor]),
  ...Object.entries(hooks).flatMap(([name, value]): [string, unknown][] => {
    if (typeof value === "object")
      return Object.entries(value).map(([key, one]) => [`hooks.${name}.${key}`, one]);
    return [[`hooks.${name}`, name.endsWith("Ms") ? formatDurationMs(Number(value)) : value]];
  }),
]
  .map(([name, value]) => `| \`${name}\` | \`${value}\` |`)
  .join("\n")}`;
