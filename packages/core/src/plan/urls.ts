const PARTS = /^(https?:\/\/)([^/?#\s]+)([^?#\s]*)([?#]\S*)?$/i;

/** Why the text is no base URL of a target, for a person; undefined when it is one. */
export function baseUrlProblem(text: string): string | undefined {
  const parts = PARTS.exec(text);
  if (parts === null) {
    const guess = `http://${text}`;
    const hint = /^[\w.-]+(:\d+)?(\/\S*)?$/.test(text)
      ? `: did you mean ${guess}?`
      : ", such as http://127.0.0.1:8000";
    return `is no http or https URL${hint}`;
  }
  const [, , host = "", path = "", query] = parts;
  if (host.includes("@")) return "carries credentials: name the key by target.apiKeyEnv or target.apiKeyFile";
  if (query !== undefined) return "has a query or fragment: give the base URL alone";
  if (/\/v1\/./.test(path)) return "names an endpoint: give the base URL, the API's own path is added";
  return undefined;
}

/** The base URL without trailing slash and without the API's `/v1`, so that paths can be appended to it. */
export function baseUrl(text: string): string {
  return text.replace(/\/+$/, "").replace(/\/v1$/, "").replace(/\/+$/, "");
}

/** Why the text is no URL to read metrics at. Plans go over the bus and stay in run directories: they carry no password. */
export function metricsUrlProblem(text: string): string | undefined {
  // URL readers pass over these at the ends; what is appended then leaves them inside.
  if ([...text].some((character) => character <= " " || character === "\u007f"))
    return "has spaces or control characters";
  const host = PARTS.exec(text)?.[2];
  if (host === undefined) return "is no http or https URL";
  return host.includes("@") ? "carries credentials, which a plan never does" : undefined;
}

/** Where to read metrics: a URL without a path gets the usual /metrics. */
export function metricsUrl(text: string): string {
  const parts = PARTS.exec(text);
  if (parts === null) return text;
  const [, scheme = "", host = "", path = "", query = ""] = parts;
  return `${scheme}${host}${path === "" || path === "/" ? "/metrics" : path}${query}`;
}
