import { assert } from "../errors.js";
import type { RequestKey } from "../load/keys.js";
import { resolveStages } from "../load/resolve-stages.js";
import type { ResolvedStage } from "../load/stages.js";
import type { PlainWorkload, TestPlan } from "../plan/schema.js";
import { Random, randomState, STREAMS } from "../random/random.js";
import type { Calibration } from "./calibration.js";
import { ConversationText } from "./conversation-text.js";
import type { DataSetEntry } from "./data-set.js";
import { DataSetText } from "./data-set-text.js";
import type { DrawnPrompt } from "./drawn-prompt.js";
import { Draws } from "./draws.js";
import { ImageDraw } from "./images.js";
import { imagesOf, isSalted, type WorkloadMember, workloadMembers } from "./members.js";
import { type PromptKind, TOKEN_IDS, WORD_TEXT } from "./prompt-kinds.js";
import type { AskedText, Coordinates, RequestDraft, RequestPlace, RequestSpec } from "./request-spec.js";
import { SyntheticText } from "./synthetic-text.js";
import type { TraceEntry } from "./trace.js";
import { TraceText } from "./trace-text.js";

/** Pure: the same key gives the same request on every agent. */
export interface RequestSource {
  requestFor(key: RequestKey): RequestSpec;
  /** The same, its prompt to be drawn piece by piece. */
  draftFor(key: RequestKey): RequestDraft;
}

export interface WorkloadOptions {
  /** The run's; what is drawn from it changes with every run, what is drawn from the plan's seed does not. */
  readonly salt: string;
  readonly calibration: Calibration;
  /** What is in the plan's files. Needed by plans that have any. */
  readonly dataSets?: DataSets;
  /** What is in its trace; needed by loads that are one. */
  readonly trace?: readonly TraceEntry[] | undefined;
}

/** The lines of files of prompts, by the member of the workload whose they are. */
export type DataSets = ReadonlyMap<number, readonly DataSetEntry[]>;

/**
 * The requests of a plan. A prompt begins with a head of at least 62 bits drawn from (salt, key), so that no two runs
 * and no two keys begin alike; a common prefix has one drawn from the salt alone. The rest of the text and all
 * lengths are drawn from (seed, key): another salt leaves them as they were. Identical prompts have no head, and the
 * length that is drawn first. Of a mixture, each key draws its member from the seed. Warm-up keys lie in a domain of
 * their own, and whether there is a warm-up changes no other request.
 */
export function createWorkload(plan: TestPlan, options: WorkloadOptions): RequestSource {
  const source = new PlannedRequests(plan, options);
  return {
    requestFor: (key) => {
      const { prompt, turn, ...rest } = source.draftFor(key);
      return {
        ...rest,
        prompt: prompt.kind === "drawn" ? prompt.whole() : prompt,
        ...(turn === undefined ? {} : { turn: { ...turn, system: wholeText(turn.system) } }),
      };
    },
    draftFor: (key) => source.draftFor(key),
  };
}

const DOMAINS = { warmUp: 0, closed: 1, open: 2 } as const;

class PlannedRequests {
  readonly #seed: number;
  readonly #stages: readonly ResolvedStage[];
  readonly #hasWarmUp: boolean;
  readonly #members: readonly MemberRequests[];
  /** Part of the weights up to each member. */
  readonly #upTo: readonly number[];

  constructor(plan: TestPlan, options: WorkloadOptions) {
    const members = workloadMembers(plan);
    this.#seed = plan.seed;
    this.#stages = resolveStages(plan);
    this.#hasWarmUp = this.#stages[0]?.isWarmUp === true;
    this.#members = members.map(
      (member, index) =>
        new MemberRequests(member, { plan, options, index, isOnly: plan.workload.kind !== "mixture" }),
    );
    let before = 0;
    this.#upTo = members.map(({ share }) => {
      before += share;
      return before;
    });
  }

  draftFor(key: RequestKey): RequestDraft {
    const place = { at: this.#coordinates(key), turn: this.#turn(key) };
    const member = this.#members[this.#memberFor(place.at)];
    assert(member !== undefined, "a workload without members");
    return member.draftFor(place);
  }

  #memberFor(at: Coordinates): number {
    if (this.#members.length === 1) return 0;
    const drawn = new Random(randomState(this.#seed, STREAMS.member, at)).nextUniform();
    const found = this.#upTo.findIndex((upTo) => drawn < upTo);
    return found < 0 ? this.#members.length - 1 : found;
  }

  #coordinates(key: RequestKey): Coordinates {
    const stage = key.stage - (this.#hasWarmUp ? 1 : 0);
    if (key.kind === "open") return [DOMAINS.open, stage, key.k];
    if (stage < 0) return [DOMAINS.warmUp, 0, key.user, key.j];
    return [DOMAINS.closed, stage, key.user, key.j];
  }

  #turn(key: RequestKey): number {
    if (key.kind === "open") return key.k;
    const stage = this.#stages[key.stage];
    return key.j * (stage?.kind === "users" ? stage.users : 1) + key.user;
  }
}

class MemberRequests {
  readonly #index: number;
  readonly #workload: PlainWorkload;
  readonly #text: { textFor(place: RequestPlace): AskedText };
  readonly #images: ImageDraw | null;

  constructor(
    { workload }: WorkloadMember,
    world: {
      readonly plan: TestPlan;
      readonly options: WorkloadOptions;
      readonly index: number;
      readonly isOnly: boolean;
    },
  ) {
    const { plan, options, index, isOnly } = world;
    const draws = new Draws({ seed: plan.seed, salt: options.salt, member: isOnly ? [] : [index] });
    this.#index = index;
    this.#workload = workload;
    const images = imagesOf(workload);
    this.#images = images === undefined ? null : new ImageDraw(images, draws);
    const kind = plan.target.api === "openai-completions" ? TOKEN_IDS : WORD_TEXT;
    this.#text = textOf(workload, { ...options, kind, draws, member: index });
  }

  draftFor(place: RequestPlace): RequestDraft {
    const { ignoreEos, temperature } = this.#workload;
    return {
      ...this.#text.textFor(place),
      member: this.#index,
      images: this.#images?.imagesFor(place.at) ?? [],
      ignoreEos,
      temperature,
      isSalted: isSalted(this.#workload),
    };
  }
}

function wholeText(prompt: DrawnPrompt | null): string {
  const whole = prompt?.whole();
  return whole?.kind === "text" ? whole.text : "";
}

interface TextWorld extends WorkloadOptions {
  readonly kind: PromptKind;
  readonly draws: Draws;
  readonly member: number;
}

function textOf(workload: PlainWorkload, world: TextWorld): { textFor(place: RequestPlace): AskedText } {
  switch (workload.kind) {
    case "synthetic-text":
      return new SyntheticText(workload, world);
    case "conversation":
      return new ConversationText(workload, world);
    case "dataset": {
      const entries = world.dataSets?.get(world.member);
      assert(entries !== undefined, `the data set ${workload.file} was not handed in`);
      return new DataSetText(workload, { ...world, entries });
    }
    case "trace": {
      const { trace: entries } = world;
      assert(entries !== undefined, "the trace was not handed in");
      return new TraceText(workload, { ...world, entries });
    }
  }
}
