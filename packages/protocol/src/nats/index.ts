export { connectNats } from "./connect.js";
export { type FoundNatsServer, findNatsServer } from "./find-server.js";
export {
  NATS_DEFAULTS,
  type NatsOptions,
  type NatsTls,
  natsOptionsFromEnv,
  REPLICAS,
  type Replicas,
} from "./options.js";
export { inboxOf, type NatsRole, type RoleOptions, type RolePermissions, rolePermissions } from "./roles.js";
export { type NatsServerOptions, type NatsUser, type RunningNatsServer, startNatsServer } from "./server.js";
