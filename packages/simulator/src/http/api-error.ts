/** An answer of the API that is not 200; `type` and `message` are vLLM's. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.type = type;
    this.param = param;
  }
}

/** A body that does not fit the schema. */
export function invalidBody(message: string, param: string | null = null): ApiError {
  return new ApiError(400, "Bad Request", message, param);
}

/** A request that is well formed but cannot be served. */
export function badRequest(message: string, param: string | null = null): ApiError {
  return new ApiError(400, "BadRequestError", message, param);
}

export function modelNotFound(model: string): ApiError {
  return new ApiError(404, "NotFoundError", `The model \`${model}\` does not exist.`, "model");
}

/** The JSON of an error, as body or as event. Not every version names the field. */
export function errorJson(error: ApiError, tellsParam = true): string {
  const { message, type, status } = error;
  const param = tellsParam ? error.param : null;
  return JSON.stringify({ error: { message, type, param, code: status } });
}
