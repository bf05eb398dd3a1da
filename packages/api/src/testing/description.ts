import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { openApiDocument } from "../openapi.js";
import { ROUTES, type RouteName } from "../routes.js";
import { jsonSchemas } from "../schemas.js";
import type { Asked } from "./ask.js";

/** Reads answers as somebody does who has nothing but the description. */
export class DescriptionReader {
  readonly #responses: ReadonlyMap<RouteName, Readonly<Record<string, unknown>>>;
  readonly #ajv = new Ajv2020({ allErrors: true, validateFormats: false, allowUnionTypes: true });

  constructor() {
    const document = openApiDocument({ version: "0.1.0", isTokenNeeded: true });
    const paths = object(document["paths"]);
    this.#responses = new Map(
      names().map((name) => {
        const { path, method } = ROUTES[name];
        return [name, object(object(object(paths[path])[method.toLowerCase()])["responses"])];
      }),
    );
    this.#ajv.addVocabulary(["components", "x-unit"]);
    const schemas = closed(jsonSchemas());
    this.#ajv.addSchema({ $id: "api", components: { schemas } });
  }

  /** The body, where the description foresees this answer in every part. */
  read(name: RouteName, asked: Asked): unknown {
    const what = `${name} ${asked.status}`;
    const answer = this.#responses.get(name)?.[String(asked.status)];
    assert.ok(answer !== undefined, `${what} is not described: ${asked.text.slice(0, 300)}`);
    const content = object(object(answer)["content"]);
    const type = String(asked.headers["content-type"]).split(";")[0] ?? "";
    assert.ok(Object.hasOwn(content, type), `${what} is described as ${Object.keys(content)}, not ${type}`);
    if (type !== "application/json") return asked.text;
    const body: unknown = JSON.parse(asked.text);
    const schema = object(object(content[type])["schema"]);
    this.#check(typeof schema["$ref"] === "string" ? schema["$ref"] : undefined, body, what);
    return body;
  }

  /** A value by the name of its schema, such as the data of an event. */
  check(schema: string, value: unknown): void {
    this.#check(`#/components/schemas/${schema}`, value, schema);
  }

  #check(ref: string | undefined, value: unknown, what: string): void {
    if (ref === undefined) return;
    const validate = this.#ajv.getSchema(`api${ref}`);
    assert.ok(validate !== undefined, ref);
    assert.ok(validate(value), `${what}: ${this.#ajv.errorsText(validate.errors)}`);
  }
}

function names(): RouteName[] {
  const isName = (name: string): name is RouteName => Object.hasOwn(ROUTES, name);
  return Object.keys(ROUTES).filter(isName);
}

/**
 * Nothing beside what is described: the description lets newer servers say more, but what this one says must stand in
 * it. A report alone is passed on as its own version of the schema wrote it.
 */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isOpen = "properties" in copy && !("additionalProperties" in copy) && copy["type"] === "object";
  return isOpen ? { ...copy, additionalProperties: false } : copy;
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  assert.ok(typeof value === "object" && value !== null, `no object: ${JSON.stringify(value)}`);
  return { ...value };
}
