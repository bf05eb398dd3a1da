import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import type { LocalAddress } from "./local-addresses.js";

/** The list as a person chooses from it, one line each, numbered from 1. */
export function addressList(addresses: readonly LocalAddress[]): string {
  const width = Math.max(...addresses.map(({ address }) => address.length));
  return addresses
    .map(({ address, device }, i) => `  ${i + 1}  ${address.padEnd(width)}  ${device}`)
    .join("\n");
}

/** Asks until one is chosen, by number or by address. Undefined when the input ends first. */
export async function askAddress(
  addresses: readonly LocalAddress[],
  { input, output }: { readonly input: Readable; readonly output: Writable },
): Promise<string | undefined> {
  output.write(
    `this host has several addresses; at which one do the other hosts reach it?\n${addressList(addresses)}\n`,
  );
  const lines = createInterface({ input, output, terminal: false });
  try {
    output.write(`1-${addresses.length}: `);
    for await (const line of lines) {
      const answer = line.trim();
      const chosen = addresses.find(({ address }, i) => answer === address || answer === String(i + 1));
      if (chosen !== undefined) return chosen.address;
      output.write(`write a number from 1 to ${addresses.length}: `);
    }
    return undefined;
  } finally {
    lines.close();
  }
}
