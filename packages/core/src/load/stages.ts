/** A stage as it runs: the warm-up, where there is one, is the first; every default is filled in. */
export type ResolvedStage =
  | {
      readonly kind: "users";
      readonly index: number;
      readonly name: string;
      readonly isWarmUp: boolean;
      readonly users: number;
      /** Users of the stage before that go on without a pause; 0 after a stage bounded by requests. */
      readonly staying: number;
      readonly rampUpUs: number;
      readonly settleUs: number;
      readonly thinkUs: number;
      readonly bound:
        | { readonly kind: "duration"; readonly durationUs: number }
        | {
            readonly kind: "requests";
            readonly requests: number;
            readonly maxDurationUs: number;
            /** Whoever is free sends the next one; else each user has its quota. */
            readonly isPool?: true;
          };
    }
  | {
      readonly kind: "rate";
      readonly index: number;
      readonly name: string;
      readonly isWarmUp: false;
      readonly fromRps: number;
      readonly toRps: number;
      readonly durationUs: number;
    };
