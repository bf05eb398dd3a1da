import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What must be seen nowhere, by the name that a message may give it. */
export type Secrets = Readonly<Record<string, string>>;

/** Places to look through: what was written, said or sent. */
export class Evidence {
  readonly #places = new Map<string, Buffer[]>();

  add(place: string, data: string | Uint8Array): void {
    const kept = this.#places.get(place) ?? [];
    kept.push(Buffer.from(data));
    this.#places.set(place, kept);
  }

  /** Every file below a folder. */
  addFolder(place: string, folder: string): void {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      this.add(`${place} (${entry.name})`, readFileSync(file));
    }
  }

  bytes(place: string): number {
    return [...this.#places]
      .filter(([name]) => name.startsWith(place))
      .reduce((sum, [, parts]) => sum + parts.reduce((all, part) => all + part.length, 0), 0);
  }

  /** One line for each place that holds a secret, in whichever form. Never the secret itself. */
  leaks(secrets: Secrets): string[] {
    return [...this.#places].flatMap(([place, parts]) =>
      Object.entries(secrets).flatMap(([name, secret]) =>
        Object.entries(formsOf(secret))
          .filter(([, form]) => parts.some((part) => part.includes(form)))
          .map(([form]) => `${place} holds ${name}, ${form}`),
      ),
    );
  }
}

/** The ways in which a secret gets out: as it is, in a URL, in base64 at whichever place of a text, in hexadecimal. */
export function formsOf(secret: string): Readonly<Record<string, string>> {
  const url = new URL("http://h");
  url.password = secret;
  const aligned = [0, 1, 2].flatMap((before): [string, string][] => {
    const standard = base64Within(secret, before);
    const name = `in base64, ${before} bytes in`;
    return [
      [name, standard],
      [`${name}, for URLs`, standard.replaceAll("+", "-").replaceAll("/", "_")],
    ];
  });
  return {
    "as it is": secret,
    "URL-encoded": encodeURIComponent(secret),
    "as the password of a URL": url.password,
    "in hexadecimal": Buffer.from(secret).toString("hex"),
    ...Object.fromEntries(aligned),
  };
}

/** The characters that are the same whatever stands around it. */
function base64Within(secret: string, bytesBefore: number): string {
  const bytes = Buffer.concat([Buffer.alloc(bytesBefore), Buffer.from(secret)]);
  return bytes.toString("base64").slice(Math.ceil((bytesBefore * 8) / 6), Math.floor((bytes.length * 8) / 6));
}

/** Command lines of every process of this machine, by process id. */
export function commandLines(): Map<number, string> {
  const found = new Map<number, string>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      found.set(Number(name), readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " "));
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}
