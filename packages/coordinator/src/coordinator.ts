import { LoadError } from "@tokenstorm/core";
import { type BusStatus, createConnectionNews, type Subscription } from "@tokenstorm/protocol";
import type { Coordinator, CoordinatorDeps } from "./deps.js";
import { Lead } from "./lead.js";
import { LeaseKeeper } from "./lease-keeper.js";

/** Leads the runs of one NATS account (or memory), one at a time, or stands by while another one does. */
export function createCoordinator(deps: CoordinatorDeps): Coordinator {
  return new CoordinatorProcess(deps);
}

class CoordinatorProcess implements Coordinator {
  readonly #deps: CoordinatorDeps;
  readonly #news = createConnectionNews();
  #keeper: LeaseKeeper | undefined;
  #status: Subscription | undefined;
  #lead: Lead | undefined;
  /** Of the lead before: two leads of one process never hold one run directory. */
  #ending: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  readonly #over = new Promise<void>((resolve, reject) => {
    this.#resolve = resolve;
    this.#reject = reject;
  });

  constructor(deps: CoordinatorDeps) {
    this.#deps = deps;
    // Whoever calls `run` hears of it; `close` alone must not make it an unhandled rejection.
    this.#over.catch(() => undefined);
  }

  run(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const { transport, logger, onStandingBy } = this.#deps;
    this.#keeper = new LeaseKeeper({
      ...this.#deps,
      onLead: (term) => void this.#begin(term),
      onStop: (why) => this.#stop(why),
      onStandBy: (leader, term) => {
        logger.info(`standing by: coordinator ${leader} leads (term ${term})`);
        onStandingBy?.(leader, term);
      },
      onFailure: (error) => void this.#fail(error),
    });
    this.#status = transport.bus.onStatus((status) => this.#onStatus(status));
    return this.#over;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#ending;
    await this.#lead?.close();
    await this.#keeper?.release();
    this.#status?.close();
    this.#resolve();
  }

  async #begin(term: number): Promise<void> {
    const keeper = this.#keeper;
    await this.#ending;
    if (this.#isClosed || keeper === undefined || !keeper.isValid) return;
    this.#lead = new Lead(this.#deps, {
      term,
      isValid: () => keeper.isValid,
      onRival: () => keeper.rival(),
      onFollowed: (higher) => keeper.followed(higher),
      onFailure: (error) => void this.#fail(error),
    });
  }

  /** Another one may lead from now on: nothing more is said or written. It stands by. */
  #stop(why: string): void {
    const lead = this.#lead;
    this.#lead = undefined;
    this.#deps.logger.warn(`leads no more: ${why}`);
    if (lead !== undefined) this.#ending = lead.drop();
  }

  #onStatus(status: BusStatus): void {
    if (status.kind === "closed") {
      const why = status.message === null ? "" : `: ${status.message}`;
      void this.#fail(new LoadError("BUS_UNAVAILABLE", `the connection to NATS was closed${why}`));
    } else if (status.kind === "denied") {
      const message = `NATS refuses the coordinator ${status.subject}: ${status.message}`;
      void this.#fail(
        new LoadError("BUS_DENIED", message, { hint: "give this user the coordinator's permissions" }),
      );
    } else {
      const news = this.#news(status);
      if (news !== undefined) this.#deps.logger[news.level](news.text);
    }
  }

  /** What ends it though nobody closed it. */
  async #fail(error: LoadError): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deps.logger.error(error.message);
    await this.#ending;
    await this.#lead?.drop();
    await this.#keeper?.release();
    this.#status?.close();
    this.#reject(error);
  }
}
