import { type IpAddress, ipText, isInNetwork, networkOf, parseIpAddress } from "./ip-address.js";

/** Bounds where may be sent: what it leaves out (scheme, port) is not bounded. Made by `parseTargetRule`. */
export interface TargetRule {
  /** As it was written; for messages. */
  readonly text: string;
  readonly scheme: "http" | "https" | null;
  readonly port: number | null;
  readonly host:
    | { readonly kind: "name"; readonly name: string }
    /** Every name below; the name itself is another rule. */
    | { readonly kind: "below"; readonly name: string }
    | { readonly kind: "network"; readonly network: IpAddress; readonly bits: number };
}

/** One place to connect to, as `URL` has read it: it lowers case, and makes decimal, octal and hexadecimal addresses plain. */
export interface TargetPlace {
  readonly scheme: "http" | "https";
  /** Name or address, an IPv6 one without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `by-address`: a name that only the addresses behind it can allow or refuse, see `isAddressAllowed`. */
export type Admission = "allowed" | "refused" | "by-address";

/** What the rules say of a place. Without rules everything is allowed. */
export function admitTarget(rules: readonly TargetRule[], place: TargetPlace): Admission {
  if (rules.length === 0) return "allowed";
  const fitting = rules.filter((rule) => isFor(rule, place));
  const address = parseIpAddress(place.host);
  if (address !== undefined) return fitting.some((rule) => holds(rule, address)) ? "allowed" : "refused";
  const name = plainName(place.host);
  if (fitting.some((rule) => isNamedBy(rule, name))) return "allowed";
  return fitting.some(({ host }) => host.kind === "network") ? "by-address" : "refused";
}

/**
 * Whether a connection for this place may go to this address, which its host resolved to. A name that a rule names is
 * allowed whatever it resolves to; any other only at the addresses of a rule, so that no name server can lead around them.
 */
export function isAddressAllowed(rules: readonly TargetRule[], place: TargetPlace, address: string): boolean {
  const admission = admitTarget(rules, place);
  if (admission !== "by-address") return admission === "allowed";
  const parsed = parseIpAddress(address);
  return parsed !== undefined && rules.some((rule) => isFor(rule, place) && holds(rule, parsed));
}

/** The rules in words, for a message. */
export function rulesText(rules: readonly TargetRule[]): string {
  return rules.map(({ text }) => text).join(", ");
}

function isFor(rule: TargetRule, { scheme, port }: TargetPlace): boolean {
  return (rule.scheme === null || rule.scheme === scheme) && (rule.port === null || rule.port === port);
}

function holds({ host }: TargetRule, address: IpAddress): boolean {
  return host.kind === "network" && isInNetwork(address, host.network, host.bits);
}

function isNamedBy({ host }: TargetRule, name: string): boolean {
  if (host.kind === "name") return host.name === name;
  return host.kind === "below" && name.endsWith(`.${host.name}`) && name.length > host.name.length + 1;
}

/** A dot at the end says that the name is complete; it is the same name. */
function plainName(text: string): string {
  return text.toLowerCase().replace(/\.$/, "");
}

const EXAMPLES = "such as llm.lab.example, *.lab.example:8000, 10.0.0.0/8 or https://llm.lab.example";

/** A rule, or why the text is none: the rest of a sentence about it. */
export function parseTargetRule(text: string): TargetRule | { readonly problem: string } {
  const written = text.trim();
  const [, scheme, rest = ""] = /^(?:([^:/]*):\/\/)?(.*)$/s.exec(written) ?? [];
  if (rest === "") return { problem: `names no host: write one, ${EXAMPLES}` };
  if (scheme !== undefined && !/^https?$/i.test(scheme))
    return { problem: "has a scheme that no target has: http:// and https:// are known" };
  if (/[\s,?#\\]/.test(rest)) return { problem: `has characters that no rule has: write one, ${EXAMPLES}` };
  if (rest.includes("@")) return { problem: "names a user: a rule names a host alone" };
  const parts = hostParts(rest);
  if ("problem" in parts) return parts;
  const port = parts.port === undefined ? null : Number(parts.port);
  if (port !== null && !(port >= 1 && port <= 65_535))
    return { problem: "has a port that is not 1 to 65535" };
  const host = parseHost(parts);
  if ("problem" in host) return host;
  return { text: written, scheme: parseScheme(scheme), port, host };
}

function parseScheme(text: string | undefined): TargetRule["scheme"] {
  if (text === undefined) return null;
  return text.toLowerCase() === "https" ? "https" : "http";
}

interface HostParts {
  readonly host: string;
  readonly isBracketed: boolean;
  readonly bits: string | undefined;
  readonly port: string | undefined;
}

/** `host`, `host/bits`, `host:port`, `host/bits:port`; IPv6 in brackets, or bare where no port follows. */
function hostParts(rest: string): HostParts | { readonly problem: string } {
  const isBare = !rest.startsWith("[") && rest.split(":").length > 2;
  const pattern = isBare ? /^([^/]*)(?:\/(\d+))?()$/ : /^(\[[^\]/]*\]|[^:/[\]]*)(?:\/(\d+))?(?::(\d+))?$/;
  const [, host = "", bits, port] = pattern.exec(rest) ?? [];
  if (host !== "") {
    return {
      host: host.replace(/^\[|\]$/g, ""),
      isBracketed: host.startsWith("["),
      bits,
      port: port === "" ? undefined : port,
    };
  }
  const hasPath = /^[^/]*\/(?!\d+(:|$))/.test(rest);
  return {
    problem: hasPath ? "has a path: a rule ends with its host or port" : `is no rule: write one, ${EXAMPLES}`,
  };
}

function parseHost({
  host,
  isBracketed,
  bits,
}: HostParts): TargetRule["host"] | { readonly problem: string } {
  const address = host.includes("%") ? undefined : parseIpAddress(host);
  if (address !== undefined && (!isBracketed || host.includes(":"))) return parseNetwork(address, host, bits);
  if (isBracketed || host.includes(":")) return { problem: "has no IPv6 address where one should be" };
  if (bits !== undefined) return { problem: "has a network's size behind what is no address" };
  return parseName(plainName(host));
}

function parseNetwork(
  address: IpAddress,
  written: string,
  bits: string | undefined,
): TargetRule["host"] | { readonly problem: string } {
  // A mapped IPv4 address was written with its 96 bits in front.
  const hidden = address.width === 32 && written.includes(":") ? 96 : 0;
  const size = bits === undefined ? address.width : Number(bits) - hidden;
  if (size < 0 || size > address.width) {
    return { problem: `has a network's size that is not ${hidden} to ${address.width + hidden}` };
  }
  const network = networkOf(address, size);
  if (network.value !== address.value) {
    return { problem: `has an address beyond its ${size} bits: did you mean ${ipText(network)}/${size}?` };
  }
  return { kind: "network", network, bits: size };
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

function parseName(name: string): TargetRule["host"] | { readonly problem: string } {
  const isBelow = name.startsWith("*.");
  const labels = (isBelow ? name.slice(2) : name).split(".");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: everything beyond ASCII is meant.
  if (/[^\x00-\x7f]/.test(name)) return { problem: "has letters beyond ASCII: write the name as xn--..." };
  if (name.includes("*") && (!isBelow || labels.join("").includes("*")))
    return { problem: "has a * that does not stand for the first part of a name, as in *.lab.example" };
  // To a URL, a name that ends in a number is an IPv4 address.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? ""))
    return { problem: "is no address: write four decimal numbers without leading zeros" };
  if (name.length > 253 || !labels.every((label) => LABEL.test(label)))
    return { problem: `is no name of a host: write one, ${EXAMPLES}` };
  return { kind: isBelow ? "below" : "name", name: labels.join(".") };
}
