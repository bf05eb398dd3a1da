import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { nkeys } from "@nats-io/transport-node";
import { TEST_CERTIFICATE, TEST_KEY, tempDir, withNatsServer } from "@tokenstorm/testkit";
import { connectNats } from "./connect.js";

const LIMIT = { timeout: 30_000 };
const base = { name: "credentials", role: "coordinator", timeoutMs: 2000 } as const;

test("an nkey opens the server that knows it, and another does not", LIMIT, async (t) => {
  const [known, other] = [nkeys.createUser(), nkeys.createUser()];
  const folder = await tempDir(t);
  const [knownFile, otherFile] = [join(folder, "known.nk"), join(folder, "other.nk")];
  await writeFile(knownFile, `${Buffer.from(known.getSeed()).toString("utf8")}\n`);
  await writeFile(otherFile, other.getSeed());
  await withNatsServer(
    t,
    async ({ url }) => {
      const transport = await connectNats({ ...base, servers: [url], nkeyFile: knownFile });
      await transport.close();
      await assert.rejects(connectNats({ ...base, servers: [url], nkeyFile: otherFile }), {
        code: "BUS_DENIED",
      });
    },
    { extraConfig: `authorization { users: [ { nkey: ${known.getPublicKey()} } ] }` },
  );
});

test(
  "TLS is spoken to a server that wants it, with the authority given, and with a certificate of one's own",
  LIMIT,
  async (t) => {
    const folder = await tempDir(t);
    const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    await writeFile(certFile, TEST_CERTIFICATE);
    await writeFile(keyFile, TEST_KEY);
    const tls = JSON.stringify({ cert_file: certFile, key_file: keyFile, ca_file: certFile, verify: true });
    await withNatsServer(
      t,
      async ({ url }) => {
        const servers = [url];
        const transport = await connectNats({
          ...base,
          servers,
          tls: { caFile: certFile, certFile, keyFile },
        });
        assert.deepEqual(await transport.state.keys(""), []);
        await transport.close();
        for (const wrong of [
          {},
          { tls: { caFile: certFile } },
          { tls: { caFile: join(folder, "none.pem") } },
        ])
          await assert.rejects(connectNats({ ...base, servers, ...wrong }), {
            code: "BUS_UNAVAILABLE",
            message: /cannot connect to NATS at nats:\/\/127\.0\.0\.1/,
          });
      },
      { extraConfig: `tls: ${tls}` },
    );
  },
);

test("TLS that was asked for is not left out where the server has none", LIMIT, async (t) => {
  await withNatsServer(t, async ({ url }) => {
    const servers = [url.replace("nats:", "tls:")];
    await assert.rejects(connectNats({ ...base, servers }), { code: "BUS_UNAVAILABLE", message: /tls/i });
  });
});
