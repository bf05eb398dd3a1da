export type { ApiAddress, ApiDeps } from "./deps.js";
export { type HttpApi, startHttpApi } from "./http-api.js";
export type { Logger } from "./logger.js";
export { metricsTable } from "./metrics/families.js";
export { openApiDocument } from "./openapi.js";
