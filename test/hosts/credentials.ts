import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  createAccount,
  createOperator,
  createUser,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
  type KeyPair,
  type Permissions,
} from "@nats-io/jwt";
import { type NatsRole, type RoleOptions, rolePermissions } from "@tokenstorm/protocol/nats";

const UNLIMITED = {
  ...{ subs: -1, data: -1, payload: -1, conn: -1, leaf: -1, imports: -1, exports: -1, wildcards: true },
  ...{ mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 },
};

/** A NATS operator with an account for tokenstorm and one creds file per identity, as `nsc` would make them. */
export interface Credentials {
  /** The part of a server's configuration that trusts them. */
  readonly config: string;
  /** Path of a creds file. */
  readonly files: Readonly<Record<string, string>>;
}

/** Identities by name; an agent may be pinned to its own. */
export type Identities = Readonly<Record<string, { readonly role: NatsRole } & RoleOptions>>;

export async function makeCredentials(folder: string, identities: Identities): Promise<Credentials> {
  mkdirSync(folder, { recursive: true });
  const [operator, system, account] = [createOperator(), createAccount(), createAccount()];
  const jwts = {
    operator: await encodeOperator("lab", operator, { system_account: system.getPublicKey() }),
    system: await encodeAccount("SYS", system, {}, { signer: operator }),
    account: await encodeAccount("tokenstorm", account, { limits: UNLIMITED }, { signer: operator }),
  };
  const files: Record<string, string> = {};
  for (const [name, identity] of Object.entries(identities))
    files[name] = await writeCreds(folder, name, { account, permissions: permissionsOf(identity) });
  const preload = { [system.getPublicKey()]: jwts.system, [account.getPublicKey()]: jwts.account };
  const config = [
    `operator: ${JSON.stringify(jwts.operator)}`,
    `system_account: ${system.getPublicKey()}`,
    "resolver: MEMORY",
    `resolver_preload: ${JSON.stringify(preload)}`,
  ].join("\n");
  return { config, files };
}

async function writeCreds(
  folder: string,
  name: string,
  { account, permissions }: { readonly account: KeyPair; readonly permissions: Permissions },
): Promise<string> {
  const user = createUser();
  const jwt = await encodeUser(name, user, account, permissions);
  const file = join(folder, `${name}.creds`);
  writeFileSync(file, fmtCreds(jwt, user), { mode: 0o600 });
  return file;
}

function permissionsOf({ role, ...options }: Identities[string]): Permissions {
  const { publish, subscribe } = rolePermissions(role, options);
  return {
    pub: publish.length === 0 ? { deny: [">"] } : { allow: [...publish] },
    sub: { allow: [...subscribe] },
  };
}
