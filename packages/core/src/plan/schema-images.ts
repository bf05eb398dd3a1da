import { z } from "zod";
import { PLAN_BOUNDS, PLAN_DEFAULTS } from "./defaults.js";
import { note } from "./schema-parts.js";

const SIZE = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/;
const NO_SIZE = "is no size: write width x height in pixels, such as 1024x768, each at most 8192";

/** Width and height in pixels of a text such as `1024x768`; undefined where it is none, or too large. */
export function parseImageSize(
  text: string,
): { readonly width: number; readonly height: number } | undefined {
  const match = SIZE.exec(text);
  if (match === null) return undefined;
  const [width, height] = [Number(match[1]), Number(match[2])];
  const most = PLAN_BOUNDS.imageSide.max;
  return width > most || height > most ? undefined : { width, height };
}

const size = z.string().refine((text) => parseImageSize(text) !== undefined, { error: NO_SIZE });
const count = z.int().min(1).max(PLAN_BOUNDS.imagesPerRequest.max);

/** Images of each request, made up from the seed. */
export const Images = z
  .strictObject({
    count: z
      .union(
        [
          count,
          z.strictObject({
            kind: z.literal("uniform").meta(note("Every number from min to max is as likely.")),
            min: count.meta(note("Fewest images.", { example: 1 })),
            max: count.meta(note("Most images.", { example: 4 })),
          }),
        ],
        {
          error: "is no number of images: write a number from 1 to 64, or kind uniform with min and max",
        },
      )
      .default(PLAN_DEFAULTS.images.count)
      .meta(note("How many each request has: a number, or kind: uniform with min and max.", { example: 2 })),
    size: z
      .union(
        [
          size,
          z
            .array(
              z.strictObject({
                size: size.meta(note("Width x height.", { unit: "pixels", example: "512x512" })),
                weight: z
                  .number()
                  .positive()
                  .max(1_000_000)
                  .meta(note("How often it is drawn, beside the others' weights.", { example: 2 })),
              }),
            )
            .min(1)
            .max(64),
        ],
        { error: NO_SIZE },
      )
      .meta(
        note("Width x height, or a list of sizes with weights, from which each image draws its own.", {
          unit: "pixels",
          example: "1024x768",
        }),
      ),
    content: z
      .enum(["unique", "identical"])
      .default(PLAN_DEFAULTS.images.content)
      .meta(
        note(
          "Unique images differ from request to request and, by the salt, from run to run. Identical ones are the same for " +
            "all requests, so that a server's cache of images is measured.",
          { example: "identical" },
        ),
      ),
  })
  .meta(note("Images of each request, beside its text: PNG, as data URLs. Chat only."));

export type Images = z.output<typeof Images>;
