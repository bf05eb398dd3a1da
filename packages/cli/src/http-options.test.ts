import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { Command, CommanderError } from "commander";
import { addHttpFlags, type HttpAccess, type HttpFlags, httpAccess } from "./http-options.js";

const TOKEN = "0123456789abcdef";

interface Outcome {
  readonly access: HttpAccess | undefined;
  /** What stands on the screen when it is a usage error. */
  readonly error: string;
  readonly exitCode: number;
}

/** As the command line reads them. */
function read(args: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome {
  let error = "";
  let access: HttpAccess | undefined;
  const command = new Command("coordinator").exitOverride().configureOutput({
    writeErr: (text) => {
      error += text;
    },
  });
  addHttpFlags(command).action((flags: HttpFlags) => {
    access = httpAccess(command, flags, env);
  });
  try {
    command.parse([...args], { from: "user" });
    return { access, error, exitCode: 0 };
  } catch (thrown) {
    if (thrown instanceof CommanderError) return { access, error, exitCode: thrown.exitCode };
    throw thrown;
  }
}

test("it listens on loopback unless something else is said, and with --no-http not at all", () => {
  assert.deepEqual(read([]).access, {
    address: { host: "127.0.0.1", port: 7373, orAnyPort: true },
    token: null,
    hostNames: [],
  });
  assert.equal(read(["--no-http"]).access, undefined);
  const table: readonly (readonly [string, string, number])[] = [
    ["8080", "127.0.0.1", 8080],
    [":8080", "127.0.0.1", 8080],
    ["0", "127.0.0.1", 0],
    ["localhost:80", "127.0.0.1", 80],
    ["127.0.0.7:80", "127.0.0.7", 80],
    ["[::1]:80", "::1", 80],
    ["0.0.0.0:80", "0.0.0.0", 80],
    ["[::]:80", "::", 80],
  ];
  for (const [text, host, port] of table) {
    const { access } = read(["--http", text], { TOKENSTORM_HTTP_TOKEN: TOKEN });
    // An address that was named is meant.
    assert.deepEqual(access?.address, { host, port, orAnyPort: false }, text);
  }
});

test("what is no address of a machine is a usage error", () => {
  for (const text of [
    "",
    "x",
    "70000",
    "1.2.3.4",
    "example.org:80",
    "::1:80",
    "[127.0.0.1]:80",
    "[::1]",
    "1:2:3",
  ]) {
    const { exitCode, error } = read([`--http=${text}`]);
    assert.notEqual(exitCode, 0, text);
    assert.match(error, /--http/, text);
  }
});

test("any address beyond loopback is refused without a token, and says how to make one", () => {
  for (const text of ["0.0.0.0:7373", "[::]:7373", "10.0.0.5:7373", "[fe80::1]:1"]) {
    const { exitCode, error } = read(["--http", text]);
    assert.equal(exitCode, 2, text);
    assert.match(error, /without a token: set TOKENSTORM_HTTP_TOKEN .*openssl rand/s);
    assert.equal(read(["--http", text], { TOKENSTORM_HTTP_TOKEN: "" }).exitCode, 2, "an empty token is none");
    assert.equal(read(["--http", text], { TOKENSTORM_HTTP_TOKEN: TOKEN }).access?.token, TOKEN);
  }
});

test("the token's variable may be named; one that is not set, or cannot be sent, is an error that does not repeat it", () => {
  assert.equal(
    read(["--http-token-env", "MINE"], { MINE: `my-${TOKEN}`, TOKENSTORM_HTTP_TOKEN: TOKEN }).access?.token,
    `my-${TOKEN}`,
  );
  assert.equal(read([], { TOKENSTORM_HTTP_TOKEN: TOKEN }).access?.token, TOKEN);
  const refused = (pattern: RegExp) => (error: unknown) =>
    error instanceof LoadError &&
    error.code === "SECRET_MISSING" &&
    pattern.test(error.message) &&
    !error.message.includes("hush");
  assert.throws(() => read(["--http-token-env", "MINE"], { TOKENSTORM_HTTP_TOKEN: TOKEN }), refused(/MINE/));
  for (const token of ["hush hush hush hush", "hush-hush-hush-hush\n", "h\u00fcsh-hush-hush-hush"]) {
    assert.throws(() => read([], { TOKENSTORM_HTTP_TOKEN: token }), refused(/TOKENSTORM_HTTP_TOKEN/));
  }
});

test("a token of fewer than sixteen characters is refused, wherever it listens", () => {
  for (const args of [[], ["--http", "10.0.0.5:7373"]]) {
    assert.throws(
      () => read(args, { TOKENSTORM_HTTP_TOKEN: TOKEN.slice(1) }),
      (error: unknown) =>
        error instanceof LoadError &&
        error.code === "SECRET_MISSING" &&
        /TOKENSTORM_HTTP_TOKEN has fewer than 16 characters/.test(error.message) &&
        !error.message.includes(TOKEN.slice(1)),
    );
  }
});

test("further host names may be given again and again, without ports", () => {
  assert.deepEqual(read(["--http-host", "a.example.org", "--http-host", "10.0.0.9"]).access?.hostNames, [
    "a.example.org",
    "10.0.0.9",
  ]);
  for (const name of ["a:80", "http://a", "", "a b"])
    assert.notEqual(read([`--http-host=${name}`]).exitCode, 0, name);
});
