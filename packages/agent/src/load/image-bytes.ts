import {
  type ImageSpec,
  imageSizes,
  imagesOf,
  type PlainWorkload,
  pngBody,
  pngOwn,
  Random,
  randomState,
  STREAMS,
} from "@tokenstorm/core";

interface Shared {
  readonly body: ReturnType<typeof pngBody>;
  /** Its base64, in bytes. */
  readonly base64: Buffer;
}

const PREFIX = Buffer.from("data:image/png;base64,");

/**
 * Data URLs of images. What images of a size share is made, and put into base64, once, when this is opened: then an image
 * costs its own 4 KiB of noise and a copy.
 */
export class ImageBytes {
  readonly #seed: number;
  readonly #shared = new Map<string, Shared>();

  constructor(options: { readonly seed: number; readonly workloads: readonly PlainWorkload[] }) {
    this.#seed = options.seed;
    for (const workload of options.workloads) {
      const images = imagesOf(workload);
      for (const size of images === undefined ? [] : imageSizes(images)) this.#sharedOf(size);
    }
  }

  /** The URL in pieces, ASCII; none needs escapes in JSON. */
  urlOf(image: ImageSpec): readonly Buffer[] {
    const { body, base64 } = this.#sharedOf(image);
    const { head, tail } = pngOwn(body, new Random(image.state));
    return [PREFIX, inBase64(head), base64, inBase64(tail)];
  }

  #sharedOf({ width, height }: Pick<ImageSpec, "width" | "height">): Shared {
    const key = `${width}x${height}`;
    const found = this.#shared.get(key);
    if (found !== undefined) return found;
    const body = pngBody(
      { width, height },
      new Random(randomState(this.#seed, STREAMS.imageContent, [width, height])),
    );
    const shared = { body, base64: inBase64(body.bytes) };
    this.#shared.set(key, shared);
    return shared;
  }
}

function inBase64({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(buffer, byteOffset, length).toString("base64"), "latin1");
}
