import type { NatsTls } from "@tokenstorm/protocol/nats";
import { type Command, InvalidArgumentError } from "commander";
import type { CommandContext } from "../context.js";
import { VERSION } from "../packaging.js";
import { addressList, askAddress } from "./ask-address.js";
import { findPlace, type ListenPlace, type ListenWish, parseListen } from "./listen-place.js";
import type { ListeningOptions } from "./listening-server.js";
import { localAddresses } from "./local-addresses.js";

/** As commander hands them over: the flags of a coordinator that starts its own NATS. */
export interface ListenFlags {
  /** True where no address was given. */
  readonly listen?: Pick<ListenWish, "host" | "port"> | true;
  readonly advertise?: string;
  readonly data?: string;
  readonly listenTlscert?: string;
  readonly listenTlskey?: string;
  readonly listenTlsca?: string;
}

export const DEFAULT_DATA = ".tokenstorm";

export function addListenFlags(command: Command): Command {
  return command
    .option(
      "--listen [address]",
      "start nats-server on this address of the host (ADDRESS or ADDRESS:PORT), with a user for each role, and print the lines that join it",
      listenAddress,
    )
    .option("--advertise <host>", "with --listen: name under which other hosts reach it", advertised)
    .option("--data <dir>", `with --listen: folder for passwords and JetStream; ${DEFAULT_DATA} by default`)
    .option("--listen-tlscert <file>", "with --listen: certificate of the server, for TLS")
    .option("--listen-tlskey <file>", "with --listen: its key")
    .option("--listen-tlsca <file>", "with --listen: authority that clients must trust for it");
}

/** What must be started; undefined without `--listen`, or where a person left the choice of an address. */
export async function listeningOptions(
  command: Command,
  flags: ListenFlags & { readonly nats?: string; readonly subjectPrefix?: string },
  { terminal, env }: CommandContext,
): Promise<ListeningOptions | undefined> {
  const { listen } = flags;
  const wrong = (problem: string): never => command.error(`error: ${problem}`, { exitCode: 2 });
  if (listen === undefined) {
    if (flags.advertise !== undefined || flags.data !== undefined || tlsFiles(flags).length > 0)
      wrong("--advertise, --data and --listen-tls... are for a coordinator with --listen");
    return undefined;
  }
  if (flags.nats !== undefined)
    wrong("--listen starts a NATS server and --nats names one that is there: give one of them");
  const files = tlsFiles(flags);
  if (files.length !== 0 && files.length !== 3)
    wrong("TLS takes three files: --listen-tlscert, --listen-tlskey and --listen-tlsca");
  const { host, port } = listen === true ? { host: undefined, port: 4222 } : listen;
  const wish: ListenWish = { host, port, advertise: flags.advertise };
  const place = await choosePlace(wish, {
    wrong,
    isInteractive: terminal.stderr.isTty && process.stdin.isTTY,
  });
  return {
    place,
    dataDir: flags.data ?? DEFAULT_DATA,
    tls: tlsOf(flags),
    prefix: flags.subjectPrefix,
    version: VERSION,
    env,
  };
}

async function choosePlace(
  wish: ListenWish,
  { wrong, isInteractive }: { readonly wrong: (problem: string) => never; readonly isInteractive: boolean },
): Promise<ListenPlace> {
  const addresses = localAddresses();
  const found = findPlace(wish, addresses);
  if (found.kind === "place") return found.place;
  if (found.kind === "none") return wrong(`${found.problem}\nhint: ${found.hint}`);
  if (!isInteractive)
    return wrong(
      `this host has several addresses; name the one at which others reach it:\n${addressList(found.addresses)}\n` +
        `hint: --listen ${found.addresses[0]?.address ?? "ADDRESS"}`,
    );
  const chosen = await askAddress(found.addresses, { input: process.stdin, output: process.stderr });
  if (chosen === undefined) return wrong("no address was chosen");
  const again = findPlace(
    wish.host === undefined ? { ...wish, host: chosen } : { ...wish, advertise: chosen },
    addresses,
  );
  return again.kind === "place" ? again.place : wrong(`${chosen} cannot be listened on`);
}

function listenAddress(text: string): Pick<ListenWish, "host" | "port"> {
  const parsed = parseListen(text);
  if (parsed !== undefined) return parsed;
  throw new InvalidArgumentError("write ADDRESS or ADDRESS:PORT, such as 10.0.0.5 or [2001:db8::1]:4222.");
}

function advertised(text: string): string {
  if (/^[A-Za-z0-9._-]+$|^[0-9a-fA-F:]+$/.test(text)) return text;
  throw new InvalidArgumentError("it is no name or address of a host.");
}

const tlsFiles = (flags: ListenFlags): string[] =>
  [flags.listenTlscert, flags.listenTlskey, flags.listenTlsca].filter((file) => file !== undefined);

function tlsOf({ listenTlscert, listenTlskey, listenTlsca }: ListenFlags): NatsTls | undefined {
  if (listenTlscert === undefined) return undefined;
  return { certFile: listenTlscert, keyFile: listenTlskey, caFile: listenTlsca };
}
