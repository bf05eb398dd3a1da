export { connectNats } from "./connect.js";
export { type FoundNatsServer, findNatsServer } from "./find-server.js";
export {
  NATS_DEFAULTS,
  type NatsOptions,
  type NatsRole,
  type NatsTls,
  natsOptionsFromEnv,
} from "./options.js";
export { type NatsServerOptions, type NatsUser, type RunningNatsServer, startNatsServer } from "./server.js";
