/** An address as a number. One that maps IPv4 into IPv6 (::ffff:0:0/96) is the IPv4 address: it connects to the same host. */
export interface IpAddress {
  readonly width: 32 | 128;
  readonly value: bigint;
}

const MAPPED_HEAD = 0xffffn << 32n;

/** Undefined for what is no address. IPv4 in four decimal numbers alone: the other ways to write one are for `URL` to read. */
export function parseIpAddress(text: string): IpAddress | undefined {
  const v4 = ipv4Value(text);
  if (v4 !== undefined) return { width: 32, value: v4 };
  // The zone says on which link an address is, not which one it is.
  const v6 = ipv6Value(text.replace(/%.*$/, ""));
  if (v6 === undefined) return undefined;
  return v6 >> 32n === MAPPED_HEAD >> 32n
    ? { width: 32, value: v6 & 0xffff_ffffn }
    : { width: 128, value: v6 };
}

/** Whether the first `bits` of both are the same. */
export function isInNetwork(address: IpAddress, network: IpAddress, bits: number): boolean {
  if (address.width !== network.width) return false;
  const rest = BigInt(network.width - bits);
  return address.value >> rest === network.value >> rest;
}

/** What nothing but the host itself reaches: localhost, 127.0.0.0/8, ::1. The host may stand in the brackets of a URL. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  const address = parseIpAddress(bare);
  if (address === undefined) return bare === "localhost";
  return address.width === 32 ? address.value >> 24n === 127n : address.value === 1n;
}

/** The network's first address: its number with everything behind the first `bits` cleared. */
export function networkOf({ width, value }: IpAddress, bits: number): IpAddress {
  const rest = BigInt(width - bits);
  return { width, value: (value >> rest) << rest };
}

/** As it is usually written, IPv6 without the `::`. */
export function ipText({ width, value }: IpAddress): string {
  const size = width === 32 ? 8n : 16n;
  const count = width === 32 ? 4 : 8;
  const groups = Array.from({ length: count }, (_, i) =>
    ((value >> (size * BigInt(count - 1 - i))) & ((1n << size) - 1n)).toString(width === 32 ? 10 : 16),
  );
  return groups.join(width === 32 ? "." : ":");
}

function ipv4Value(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  // A leading zero is octal to some readers: nobody should have to guess.
  if (!parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function ipv6Value(text: string): bigint | undefined {
  const [head = "", tail, more] = text.split("::");
  if (more !== undefined) return undefined;
  const front = ipv6Groups(head, { isLast: tail === undefined });
  const back = tail === undefined ? [] : ipv6Groups(tail, { isLast: true });
  if (front === undefined || back === undefined) return undefined;
  const missing = 8 - front.length - back.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...front, ...Array.from({ length: missing }, () => 0n), ...back];
  return groups.reduce((sum, group) => (sum << 16n) | group, 0n);
}

/** The last 32 bits may be written as IPv4. */
function ipv6Groups(text: string, { isLast }: { readonly isLast: boolean }): bigint[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: bigint[] = [];
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else {
      const v4 = isLast && i === parts.length - 1 ? ipv4Value(part) : undefined;
      if (v4 === undefined) return undefined;
      groups.push(v4 >> 16n, v4 & 0xffffn);
    }
  }
  return groups;
}
